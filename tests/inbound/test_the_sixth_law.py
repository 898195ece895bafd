"""Opted-out is never sent: random lives, and the order in which their transactions committed.

Triggers that run at commit, still under the locks, write down attempts, consents and texts in the
order in which conflicting transactions became true.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.auth import Caller
from api.idempotency import IdempotentRequest
from api.schemas.consents import V1MerchantConsentRequest
from api.services.consents import Consents
from cli.embedded.postgres import EmbeddedPostgres
from models.enums import Channel, ConsentStatus
from models.queries import settleable, settlement
from models.session import Database
from providers import simulated
from tests.activities.doubles import Scripted
from tests.activities.stage import Stage
from tests.factories import Owner, make_owner
from tests.inbound.stage import Started, event, inbox, make_shop, signed
from tests.stack import async_url, make_database

EXAMPLES = int(os.environ.get("INBOUND_EXAMPLES", "60"))
CONTACTS = ("+18135551234", "+18135559999")
MERCHANTS = 2

_WITNESSES = {
    "attempt": "SELECT 'ATTEMPT', merchant_id, to_key, operation FROM message"
    " WHERE tenant_id = NEW.tenant_id AND id = NEW.message_id",
    "consent_change": "SELECT 'CONSENT', NEW.merchant_id, NEW.contact_key, NEW.status",
    "inbound_message": "SELECT 'TEXT', 0::bigint, NEW.sender, NEW.kind",
}
"""What is written down of a new row: kind, merchant, contact, word."""


async def bear_witness(database: Database) -> None:
    """Write rows down when they are committed."""
    async with database.transaction() as db:
        run = (await db.connection()).exec_driver_sql
        await run(
            "CREATE TABLE witness (seq bigint GENERATED ALWAYS AS IDENTITY, tx xid8,"
            " tenant_id bigint, kind text, merchant_id bigint, contact text, word text)"
        )
        for table, facts in _WITNESSES.items():
            await run(
                f"CREATE FUNCTION saw_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " INSERT INTO witness (tx, tenant_id, kind, merchant_id, contact, word)"
                " SELECT pg_current_xact_id(), NEW.tenant_id, seen.*"
                f" FROM ({facts}) seen; RETURN NULL; END $$"
            )
            await run(
                f"CREATE CONSTRAINT TRIGGER saw AFTER INSERT ON {table}"
                f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION saw_{table}()"
            )


@dataclass(frozen=True, slots=True)
class Send:
    """Dispatch a message of a merchant that was accepted just before."""

    merchant: int
    contact: int
    dispatches: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Accept a message, and cancel it while it is dispatched."""

    merchant: int
    contact: int


@dataclass(frozen=True, slots=True)
class Text:
    """Text the shared number, so many times."""

    contact: int
    word: str
    times: int


@dataclass(frozen=True, slots=True)
class Say:
    """Record a consent by the API."""

    merchant: int
    contact: int
    status: ConsentStatus


Action: TypeAlias = Send | Cancel | Text | Say

MERCHANT, CONTACT = st.integers(0, MERCHANTS - 1), st.integers(0, len(CONTACTS) - 1)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Send, MERCHANT, CONTACT, st.integers(1, 3)),
    st.builds(Send, MERCHANT, CONTACT, st.integers(1, 3)),
    st.builds(Cancel, MERCHANT, CONTACT),
    st.builds(Text, CONTACT, st.sampled_from(["STOP", "STOP", "START", "HELP"]), st.integers(1, 2)),
    st.builds(Say, MERCHANT, CONTACT, st.sampled_from(ConsentStatus)),
)
LIVES = st.lists(st.lists(ACTIONS, min_size=2, max_size=8), min_size=1, max_size=4)


@pytest.fixture(scope="session")
async def witnessed(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A database of its own that keeps the order of commits."""
    url = async_url(make_database(postgres, "inbound"))
    database = Database(url, pool_size=20)
    await bear_witness(database)
    yield database
    await database.close()


class Life:
    """One tenant with a shared number, and everything that happens on it."""

    def __init__(self, database: Database, owners: list[Owner]) -> None:
        self.database = database
        self.owners = owners
        self.stages = [Stage(database, owner, Scripted()) for owner in owners]
        self.started = Started()
        self.inbox = inbox(database, self.started)
        self.consents = Consents(database, lambda: datetime.now(UTC))

    @property
    def tenant_id(self) -> int:
        return self.owners[0].tenant_id

    async def live(self, actions: list[Action]) -> None:
        """Accept first, then let everything race."""
        ready = [(action, await self._prepare(action)) for action in actions]
        await asyncio.gather(*(self._act(action, message_id) for action, message_id in ready))

    async def _prepare(self, action: Action) -> int:
        if not isinstance(action, Send | Cancel):
            return 0
        return await self.stages[action.merchant].accept(to=CONTACTS[action.contact])

    async def _act(self, action: Action, message_id: int) -> None:
        match action:
            case Send():
                stage = self.stages[action.merchant]
                await asyncio.gather(
                    *(stage.dispatch(message_id) for _ in range(action.dispatches))
                )
            case Cancel():
                dispatching = self.stages[action.merchant].dispatch(message_id)
                await asyncio.gather(dispatching, self._cancel(message_id))
            case Text():
                told = event(
                    action.word,
                    sender=CONTACTS[action.contact],
                    number=self.owners[0].sender,
                )
                body, headers = signed(told)
                taken = (
                    self.inbox.take(simulated.NAME, headers, body) for _ in range(action.times)
                )
                await asyncio.gather(*taken)
            case Say():
                await self._say(action)

    async def _cancel(self, message_id: int) -> None:
        async with self.database.transaction() as db:
            message = await settleable.lock_for_settlement(
                db, tenant_id=self.tenant_id, message_id=message_id
            )
            assert message is not None
            await settlement.cancel_message(db, message, datetime.now(UTC))

    async def _say(self, action: Say) -> None:
        caller = Caller(
            tenant_id=self.tenant_id,
            key_id=0,
            merchant_id=None,
            merchant=None,
        )
        order = V1MerchantConsentRequest.model_validate(
            {
                "merchantId": self.owners[action.merchant].merchant,
                "channel": Channel.SMS,
                "contact": CONTACTS[action.contact],
                "status": action.status,
                "source": "form",
            }
        )
        request = IdempotentRequest(operation="o", scope="", key=None, fingerprint="f" * 64)
        await self.consents.upsert(caller, order, request)

    async def dispatch_answers(self) -> None:
        """Send the answers that were written."""
        for send in self.started.sends:
            await self.stages[0].dispatch(send.message_id)

    async def rows(self, sql: str) -> list[Any]:
        async with self.database.read() as db:
            return list((await db.execute(text(sql), {"t": self.tenant_id})).all())


async def check(life: Life) -> None:
    """Walk through the commits in their order."""
    # Transactions that do not conflict may commit at once, and their rows then lie mixed.
    seen = await life.rows(
        "SELECT *, max(seq) OVER (PARTITION BY tx) AS committed FROM witness"
        " WHERE tenant_id = :t ORDER BY committed, seq"
    )
    said: dict[tuple[int, str], str] = {}
    wrote: defaultdict[str, set[int]] = defaultdict(set)
    for _, group in groupby(seen, lambda row: row.committed):
        together = list(group)
        for row in together:
            if row.kind == "CONSENT":
                said[row.merchant_id, row.contact] = row.word
            if row.kind == "ATTEMPT" and row.word != "answer-inbound":
                before = said.get((row.merchant_id, row.contact))
                assert before != "OPT_OUT", f"sent after the opt-out: {seen}"
                wrote[row.contact].add(row.merchant_id)
        for row in together:
            if row.kind == "TEXT" and row.word == "OPT_OUT":
                missed = [m for m in wrote[row.contact] if said.get((m, row.contact)) != "OPT_OUT"]
                assert missed == [], f"not opted out: {missed} {seen}"
    answers = await life.rows(
        "SELECT id, idempotency_key FROM message WHERE tenant_id = :t"
        " AND operation = 'answer-inbound'"
    )
    events = await life.rows("SELECT event_id FROM inbound_message WHERE tenant_id = :t")
    keys = [answer.idempotency_key for answer in answers]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= {f"simulator:{row.event_id}" for row in events}
    assert sorted(answer.id for answer in answers) == sorted(
        send.message_id for send in life.started.sends
    )


@settings(
    max_examples=EXAMPLES,
    derandomize="INBOUND_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(rounds=LIVES)
async def test_no_attempt_is_committed_after_the_opt_out_was(
    witnessed: Database, rounds: list[list[Action]]
) -> None:
    owner = await make_owner(witnessed)
    life = Life(witnessed, [owner, await make_shop(witnessed, owner, "Shop B")])
    for actions in rounds:
        await life.live(actions)
    await life.dispatch_answers()
    await check(life)
