"""Random ledger actions, each through the project's own functions and safe to repeat."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from sqlalchemy import text

from activities.messages.settle import Settlement
from models.enums import AttemptState, ErrorCode, MessageStatus, ReportStatus
from models.queries.billing.upgrades import payments
from models.queries.billing.upgrades.payment_rows import get_payment
from models.queries.messages import conclude, dispatch, receipts, settlement, settlement_facts
from models.queries.messages.acceptance import AcceptedMessage, KeyTaken, NotFunded
from models.queries.messages.receipts import AttemptKey, NewReceipt
from models.rules.billing.periods import day_of, month_of
from models.rules.messages.dispatch_decision import DispatchAction, decide
from models.rules.messages.settlement import End
from models.session import Database
from providers.routing import Routes
from tests.activities.doubles import Scripted, own_id
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_paid, new_message, try_accept
from tests.ledger.billing import Bill, Billing, Close
from workflows.messages.types import Ending, SettleStep


@dataclass(frozen=True, slots=True)
class Accept:
    """Accept the send of a slot; its key is the slot, so a repetition is a replay."""

    slot: int
    units: int
    months_ago: int


@dataclass(frozen=True, slots=True)
class Call:
    """Claim the send of a slot and conclude it with the provider's answer."""

    slot: int
    state: AttemptState
    days_ago: int = 0


@dataclass(frozen=True, slots=True)
class Tell:
    """Store a report about its first attempt, optionally with a price."""

    slot: int
    status: ReportStatus
    price: str | None = None


@dataclass(frozen=True, slots=True)
class Settle:
    """End it, as the workflow does."""

    slot: int
    ending: Ending


@dataclass(frozen=True, slots=True)
class Part:
    """End it with a part of its hold captured, as a call that was shorter than its maximum."""

    slot: int
    share: float


Action: TypeAlias = Accept | Call | Tell | Settle | Part | Bill | Close


def told(
    owner: Owner,
    message_id: int,
    status: ReportStatus,
    *,
    event_id: str,
    provider: str = "p",
    price: str | None = None,
) -> NewReceipt:
    """Return a report about a message's first attempt."""
    return NewReceipt(
        attempt=AttemptKey(tenant_id=owner.tenant_id, message_id=message_id, public_id=0, number=1),
        account=provider,
        event_id=event_id,
        provider_message_id=own_id(f"hx-{owner.tenant_id}-{message_id}-1"),
        status=status,
        error_code=None,
        provider_code=None,
        price=None if price is None else Decimal(price),
        reported_at=datetime.now(UTC),
    )


async def grant(database: Database, owner: Owner, units: int) -> None:
    """Add bought credits, as a paid upgrade does."""
    async with database.transaction() as db:
        bought = await make_paid(db, owner.tenant_id, owner.merchant_id, units, fulfilled=False)
        payment = await get_payment(db, owner.tenant_id, bought, locked=True)
        assert await payments.grant(db, payment, datetime.now(UTC))


async def limit(database: Database, owner: Owner, units: int) -> int:
    """Change the monthly allowance; return the newest entry at that time."""
    ids = {"t": owner.tenant_id, "m": owner.merchant_id, "n": units}
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE merchant SET sms_limit = :n WHERE tenant_id = :t AND id = :m"), ids
        )
        newest = await db.scalar(
            text("SELECT COALESCE(max(id), 0) FROM ledger_entry WHERE tenant_id = :t"), ids
        )
    return int(newest or 0)


class Scenario:
    """One tenant's sends, by slot."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self.owner = owner
        self.outcomes: list[AcceptedMessage | KeyTaken | NotFunded] = []
        self._database = database
        self._ledger = Settlement(database, Routes([Scripted(name="p", reports_price=True)], {}))
        self.billing = Billing(database, owner)
        self._ids: dict[int, int] = {}

    async def at_once(self, actions: list[tuple[Action, int]]) -> None:
        """Run all actions concurrently on their own connections, each as often as it states."""
        wanted = [self.act(action) for action, times in actions for _ in range(times)]
        await asyncio.gather(*wanted)

    async def act(self, action: Action) -> None:
        """Run one action; a slot without a send selects one of the existing ones, if any."""
        if isinstance(action, Accept):
            await self._accept(action)
            return
        if isinstance(action, Bill | Close):
            await self.billing.act(action)
            return
        if not self._ids:
            return
        known = [*self._ids.values()]
        message_id = self._ids.get(action.slot, known[action.slot % len(known)])
        match action:
            case Call(state=state, days_ago=days_ago):
                await self._call(message_id, state, days_ago)
            case Tell(status=status, price=price):
                await self._tell(message_id, status, price)
            case Settle(ending=ending):
                if ending is Ending.GIVEN_UP:  # only a send that a provider may have ends so
                    await self._call(message_id, AttemptState.AMBIGUOUS, 0)
                await self._ledger.settle(
                    SettleStep(
                        tenant_id=self.owner.tenant_id,
                        message_id=message_id,
                        ending=ending,
                        error_code=ErrorCode.EXPIRED if ending is Ending.BLOCKED else None,
                    )
                )
            case Part(share=share):
                await self._call(message_id, AttemptState.ACCEPTED, 0)
                await self._part(message_id, share)

    async def _accept(self, action: Accept) -> None:
        now = datetime.now(UTC)
        message = new_message(self.owner, units=action.units, key=f"slot-{action.slot}")
        month = month_of(now.replace(day=15) - timedelta(days=30 * action.months_ago))
        outcome = await try_accept(self._database, replace(message, month=month))
        self.outcomes.append(outcome)
        if isinstance(outcome, AcceptedMessage):
            assert action.slot not in self._ids, "one key, one send"
            self._ids[action.slot] = outcome.message_id

    async def _call(self, message_id: int, state: AttemptState, days_ago: int) -> None:
        ids = {"tenant_id": self.owner.tenant_id, "message_id": message_id}
        now = datetime.now(UTC)
        async with self._database.transaction() as db:
            found = await dispatch.lock_for_dispatch(db, **ids)
            assert found is not None
            if decide(found.candidate, now).action is not DispatchAction.CLAIM or found.attempts:
                return
            then = now - timedelta(days=days_ago)
            await dispatch.claim(
                db,
                tenant_id=self.owner.tenant_id,
                message_id=message_id,
                number=1,
                provider="p",
                account="p",
                now=then,
                deadline=now,
                grace=timedelta(minutes=1),
            )
        async with self._database.transaction() as db:
            await conclude.conclude(
                db,
                tenant_id=self.owner.tenant_id,
                message_id=message_id,
                number=1,
                state=state,
                now=now,
            )

    async def _tell(self, message_id: int, status: ReportStatus, price: str | None) -> None:
        event_id = f"{message_id}-{status}"
        report = told(self.owner, message_id, status, event_id=event_id, price=price)
        async with self._database.transaction() as db:
            await receipts.store(db, report, CONTACT_KEYS, datetime.now(UTC))

    async def _part(self, message_id: int, share: float) -> None:
        now = datetime.now(UTC)
        async with self._database.transaction() as db:
            message = await settlement_facts.lock_for_settlement(
                db, tenant_id=self.owner.tenant_id, message_id=message_id
            )
            assert message is not None
            end = End(
                status=MessageStatus.DELIVERED,
                captured=round(message.facts.units * share),
                provider="p",
                day=day_of(now),
            )
            await settlement.end_message(db, message, end, now)
