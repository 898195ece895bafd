"""A LIVE tenant and two accounts, each with senders of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import text

from activities.messages.account_health import AccountHealth
from models.enums import Channel, DeliveryMode
from models.rules.accounts.account_scope import AccountScope
from models.rules.accounts.routing_table import RouteRow, RoutingTable
from models.session import Database
from providers.ports.messages import Answer, Capabilities, LookUp, Proof
from providers.routing import Routes
from tests.activities.doubles import NOT_FOUND, Scripted
from tests.activities.harness import TO, Harness
from tests.factories import Owner, make_message, new_message
from tests.senders.test_choice import LIVE, add, switch

EVERY_CALL: Final = Capabilities(recording=True, longest_call=timedelta(hours=4))


class ScriptedAccount(Scripted):
    """One account of several at the same vendor."""

    def __init__(
        self,
        account: str,
        *answers: Answer | Exception,
        truths: Sequence[LookUp] = (NOT_FOUND,),
        proof: Proof = Proof.REFERENCE,
        channels: frozenset[Channel] = frozenset({Channel.SMS}),
        vendor: str = "vendor",
        capabilities: Capabilities = EVERY_CALL,
    ) -> None:
        super().__init__(*answers, name=vendor, truths=truths, proof=proof)
        self.account = account
        self.channels = channels
        self.capabilities = capabilities


AccountT = TypeVar("AccountT", bound=ScriptedAccount)


def scope_of(*senders: str, tenants: Sequence[str] | None = None) -> AccountScope:
    """Return the scope of an account that lists these numbers and domains."""
    return AccountScope(
        tenants=None if tenants is None else frozenset(tenants),
        numbers=frozenset(sender for sender in senders if sender.startswith("+")),
        domains=frozenset(sender for sender in senders if not sender.startswith("+")),
    )


def routes_of(accounts: Mapping[AccountT, AccountScope], *rows: RouteRow) -> Routes:
    """Return LIVE routes of these accounts, in order, and the simulator for the other mode."""
    simulator = ScriptedAccount("simulator", vendor="simulator", channels=frozenset(Channel))
    return Routes(
        [simulator, *accounts],
        {
            LIVE: [provider.account for provider in accounts],
            DeliveryMode.SIMULATOR: ["simulator"],
        },
        table=RoutingTable(rows),
        scopes={provider.account: scope for provider, scope in accounts.items()},
    )


class Held(AccountHealth):
    """Holds attempts of these accounts back until a time."""

    def __init__(self, database: Database, until: Mapping[str, datetime]) -> None:
        super().__init__(database, tuple)
        self._until = dict(until)

    def unavailable(self, tenant_id: int, message_id: int, *, urgent: bool) -> dict[str, datetime]:
        return self._until


@dataclass(frozen=True, kw_only=True)
class TwoAccounts:
    """A LIVE merchant with a number at each of the accounts `a` and `b`."""

    database: Database
    owner: Owner
    at_a: str
    at_b: str

    async def message(self, *, sender: str | None = None, to: str = TO, **facts: Any) -> int:
        """Accept a message from a sender, by default account a's."""
        message = replace(new_message(self.owner, to=to), sender=sender or self.at_a, **facts)
        return await make_message(self.database, message)

    def harness(
        self,
        a: ScriptedAccount,
        b: ScriptedAccount,
        *rows: RouteRow,
        unavailable: Mapping[str, datetime] | None = None,
    ) -> Harness:
        """Return the activities with these two accounts."""
        routes = routes_of({a: scope_of(self.at_a), b: scope_of(self.at_b)}, *rows)
        health = Held(self.database, unavailable or {})
        return Harness(self.database, self.owner, routes=routes, health=health)

    async def sender(self, message_id: int) -> str:
        """Return the sender of a message."""
        statement = text("SELECT sender FROM message WHERE id = :id")
        async with self.database.read() as db:
            sender: str = await db.scalar(statement, {"id": message_id})
        return sender

    async def accounts(self, message_id: int) -> list[tuple[str, str]]:
        """Return account and state of every attempt, oldest first."""
        statement = text(
            "SELECT account, state FROM attempt WHERE message_id = :id ORDER BY number"
        )
        async with self.database.read() as db:
            return [tuple(row) for row in await db.execute(statement, {"id": message_id})]


async def two_accounts(database: Database, owner: Owner, *, own: bool = True) -> TwoAccounts:
    """Return a LIVE merchant with two numbers of its own, or of its tenant's pool."""
    await switch(database, owner, LIVE)
    numbers = [
        await add(database, owner, prefix, own=own, registered=True)
        for prefix in ("+1212555", "+1213555")
    ]
    return TwoAccounts(database=database, owner=owner, at_a=numbers[0], at_b=numbers[1])


async def set_enabled(database: Database, account: str, enabled: bool) -> None:
    """Switch an account on or off, as an operator does."""
    async with database.transaction() as db:
        await db.execute(
            text(
                "INSERT INTO provider_account (account, enabled, changed_at)"
                " VALUES (:a, :on, :now) ON CONFLICT (account) DO UPDATE SET enabled = :on"
            ),
            {"a": account, "on": enabled, "now": datetime.now(UTC)},
        )
