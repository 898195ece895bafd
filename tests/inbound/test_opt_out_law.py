"""No send after an opt-out: random scenarios, checked in the commit order of transactions.

Triggers that run at commit, still under the locks, record attempts, consents and texts in the order
in which conflicting transactions committed. An attempt is recorded once per recipient.
"""

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest
from api.schemas.consents import V1MerchantConsentRequest
from api.services.consent.consents import Consents
from api.services.consent.unsubscribe import Unsubscribing
from api.services.messages.permission import UnsubscribeLinks
from cli.dev.postgres import EmbeddedPostgres
from models.enums import Channel, ConsentStatus
from models.queries.messages import settlement, settlement_facts
from models.session import Database
from providers.simulator import messages
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS, key_of
from tests.factories import Owner, make_message, make_owner
from tests.inbound.dispatch_record import record_dispatches
from tests.inbound.harness import Started, event, inbox, make_merchant_fixture, posted
from tests.mailing import AllChannels, complain, mail, single
from tests.stack import async_url, make_database

EXAMPLES = int(os.environ.get("INBOUND_EXAMPLES", "60"))
CONTACTS = ("+18135551234", "+18135559999")
ADDRESSES = ("maria@example.com", "john@example.com")
MERCHANTS = 2
LINKS = UnsubscribeLinks("http://api.test", "only-for-tests-too")


@dataclass(frozen=True, slots=True)
class Send:
    """Dispatch a message of a merchant that was just accepted."""

    merchant: int
    contact: int
    dispatches: int
    channel: Channel = Channel.SMS


@dataclass(frozen=True, slots=True)
class Mail:
    """Dispatch an e-mail to all addresses; without a merchant it is the tenant's."""

    merchant: int | None
    dispatches: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Accept a message, and cancel it during its dispatch."""

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
    """Record a consent through the API."""

    merchant: int
    contact: int
    status: ConsentStatus
    channel: Channel = Channel.SMS


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Follow the unsubscribe link of a merchant's e-mail."""

    merchant: int
    contact: int


@dataclass(frozen=True, slots=True)
class Complain:
    """Report a complaint about a merchant's e-mail."""

    merchant: int
    contact: int


Said: TypeAlias = tuple[int, Channel, str]
"""Merchant, channel and contact."""

Action: TypeAlias = Send | Mail | Cancel | Text | Say | Unsubscribe | Complain

MERCHANT, CONTACT = st.integers(0, MERCHANTS - 1), st.integers(0, len(CONTACTS) - 1)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Send, MERCHANT, CONTACT, st.integers(1, 3)),
    st.builds(Send, MERCHANT, CONTACT, st.integers(1, 3)),
    st.builds(Cancel, MERCHANT, CONTACT),
    st.builds(Text, CONTACT, st.sampled_from(["STOP", "STOP", "START", "HELP"]), st.integers(1, 2)),
    st.builds(Say, MERCHANT, CONTACT, st.sampled_from(ConsentStatus)),
)
OTHER_CHANNELS = st.sampled_from([Channel.VOICE, Channel.EMAIL])
OTHER_ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Send, MERCHANT, CONTACT, st.integers(1, 3), OTHER_CHANNELS),
    st.builds(Mail, MERCHANT, st.integers(1, 3)),
    st.builds(Mail, st.none(), st.integers(1, 3)),
    st.builds(Say, MERCHANT, CONTACT, st.sampled_from(ConsentStatus), OTHER_CHANNELS),
    st.builds(Unsubscribe, MERCHANT, CONTACT),
    st.builds(Complain, MERCHANT, CONTACT),
)
SCENARIOS = st.lists(st.lists(ACTIONS, min_size=2, max_size=8), min_size=1, max_size=4)
OTHER_LIVES = st.lists(st.lists(OTHER_ACTIONS, min_size=2, max_size=8), min_size=1, max_size=4)


@pytest.fixture(scope="session")
async def witnessed(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A database of its own that records the commit order."""
    url = async_url(make_database(postgres, "inbound"))
    database = Database(url, pool_size=20, contact_keys=CONTACT_KEYS)
    await record_dispatches(database)
    yield database
    await database.close()


class Scenario:
    """One tenant with a shared number, and all actions on it."""

    def __init__(self, database: Database, owners: list[Owner]) -> None:
        self.database = database
        self.owners = owners
        self.stages = [Harness(database, owner, AllChannels()) for owner in owners]
        self.started = Started()
        self.inbox = inbox(database, self.started)
        self.consents = Consents(database, lambda: datetime.now(UTC))
        self.unsubscribing = Unsubscribing(database, LINKS, lambda: datetime.now(UTC))

    @property
    def tenant_id(self) -> int:
        return self.owners[0].tenant_id

    async def live(self, actions: list[Action]) -> None:
        """Accept first, then run all actions concurrently."""
        ready = [(action, await self._prepare(action)) for action in actions]
        await asyncio.gather(*(self._act(action, message_id) for action, message_id in ready))

    async def _prepare(self, action: Action) -> int:
        match action:
            case Send(channel=channel, contact=contact):
                owner = self.owners[action.merchant]
                message = single(channel, owner, reached_by(channel)[contact])
            case Cancel(contact=contact):
                message = single(Channel.SMS, self.owners[action.merchant], CONTACTS[contact])
            case Mail(merchant=merchant):
                owner = self.owners[merchant or 0]
                message = mail(owner, ADDRESSES, of_the_tenant=merchant is None)
            case _:
                return 0
        return await make_message(self.database, message)

    async def _act(self, action: Action, message_id: int) -> None:
        match action:
            case Send() | Mail():
                harness = self.stages[action.merchant or 0]
                await asyncio.gather(
                    *(harness.dispatch(message_id) for _ in range(action.dispatches))
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
                taken = (self.inbox.take(messages.NAME, posted(told)) for _ in range(action.times))
                await asyncio.gather(*taken)
            case Say():
                await self._say(action)
            case Unsubscribe():
                owner = self.owners[action.merchant]
                await self.unsubscribing.opt_out(ticket(owner, ADDRESSES[action.contact]))
            case Complain():
                async with self.database.transaction() as db:
                    owner = self.owners[action.merchant]
                    await complain(db, owner, ADDRESSES[action.contact])

    async def _cancel(self, message_id: int) -> None:
        async with self.database.transaction() as db:
            message = await settlement_facts.lock_for_settlement(
                db, tenant_id=self.tenant_id, message_id=message_id
            )
            assert message is not None
            await settlement.cancel_message(db, message, datetime.now(UTC))

    async def _say(self, action: Say) -> None:
        caller = Caller(
            tenant_id=self.tenant_id,
            key_id=0,
            merchant_id=None,
            tenant_public_id=0,
            merchant_public_id=None,
            merchant=None,
        )
        order = V1MerchantConsentRequest.model_validate(
            {
                "merchantId": self.owners[action.merchant].merchant,
                "channel": action.channel,
                "contact": reached_by(action.channel)[action.contact],
                "status": action.status,
                "source": "form",
            }
        )
        request = IdempotentRequest(route="o", scope="", key=None, fingerprint="f" * 64)
        await self.consents.upsert(caller, order, request)

    async def dispatch_answers(self) -> None:
        """Send the answers that were written."""
        for send in self.started.sends:
            await self.stages[0].dispatch(send.message_id)

    async def rows(self, sql: str) -> list[Any]:
        async with self.database.read() as db:
            return list((await db.execute(text(sql), {"t": self.tenant_id})).all())


def reached_by(channel: Channel) -> tuple[str, ...]:
    """Return the contacts of a channel."""
    return ADDRESSES if channel is Channel.EMAIL else CONTACTS


def ticket(owner: Owner, address: str) -> str:
    """Return the ticket of the link in an e-mail to an address."""
    link = LINKS.link(owner.tenant_public_id, owner.merchant_public_id, key_of(address))
    return link.rpartition("/")[2]


def forbidden(said: dict[Said, str], attempt: Any) -> list[str]:
    """Return the earlier opt-outs that forbid a committed attempt.

    A merchant's e-mail is blocked by what was recorded for it, the tenant's by any suppression.
    """
    to_it = said.get((attempt.merchant_id, attempt.channel, attempt.contact))
    refused = [to_it] if to_it in ("OPT_OUT", "SUPPRESSED") else []
    if attempt.merchant_id == 0:
        refused += [
            word
            for (_, channel, contact), word in said.items()
            if (channel, contact, word) == (attempt.channel, attempt.contact, "SUPPRESSED")
        ]
    return refused


async def check(scenario: Scenario) -> None:
    """Check the records in commit order."""
    # Transactions that do not conflict may commit concurrently, with interleaved rows.
    seen = await scenario.rows(
        "SELECT *, max(seq) OVER (PARTITION BY tx) AS committed FROM dispatch_record"
        " WHERE tenant_id = :t ORDER BY committed, seq"
    )
    said: dict[Said, str] = {}
    suppressed: dict[Said, str] = {}
    wrote: defaultdict[str, set[int]] = defaultdict(set)
    for _, group in groupby(seen, lambda row: row.committed):
        together = list(group)
        for row in together:
            who = (row.merchant_id, row.channel, row.contact)
            if row.kind == "CONSENT":
                (suppressed if row.word == "SUPPRESSED" else said)[who] = row.word
            if row.kind == "ATTEMPT" and row.word != "answer-inbound":
                refused = forbidden(said, row) + forbidden(suppressed, row)
                assert refused == [], f"sent after {refused}: {seen}"
                wrote[row.contact].add(row.merchant_id)
        for row in together:
            if row.kind == "TEXT" and row.word == "OPT_OUT":
                missed = [
                    m
                    for m in wrote[row.contact]
                    if said.get((m, Channel.SMS, row.contact)) != "OPT_OUT"
                ]
                assert missed == [], f"not opted out: {missed} {seen}"
    await _everything_was_seen(scenario, seen)
    answers = await scenario.rows(
        "SELECT id, idempotency_key FROM message WHERE tenant_id = :t"
        " AND operation = 'answer-inbound'"
    )
    events = await scenario.rows("SELECT event_id FROM inbound_message WHERE tenant_id = :t")
    keys = [answer.idempotency_key for answer in answers]
    assert len(set(keys)) == len(keys)
    assert set(keys) <= {f"simulator:{row.event_id}" for row in events}
    assert sorted(answer.id for answer in answers) == sorted(
        send.message_id for send in scenario.started.sends
    )


async def _everything_was_seen(scenario: Scenario, seen: list[Any]) -> None:
    """Check that the triggers recorded everything: otherwise the checks above cannot fail."""
    [(attempts, changes)] = await scenario.rows(
        "SELECT (SELECT count(*) FROM attempt WHERE tenant_id = :t),"
        " (SELECT count(*) FROM consent_change WHERE tenant_id = :t)"
    )
    kinds = Counter(row.kind for row in seen)
    assert kinds["CONSENT"] == changes
    assert kinds["ATTEMPT"] >= attempts


EXAMINED = settings(
    max_examples=EXAMPLES,
    derandomize="INBOUND_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


async def live(witnessed: Database, rounds: list[list[Action]]) -> None:
    """Run a scenario of two merchants, and check it."""
    owner = await make_owner(witnessed)
    scenario = Scenario(witnessed, [owner, await make_merchant_fixture(witnessed, owner, "Shop B")])
    for actions in rounds:
        await scenario.live(actions)
    await scenario.dispatch_answers()
    await check(scenario)


@EXAMINED
@given(rounds=SCENARIOS)
async def test_no_attempt_is_committed_after_the_opt_out_was(
    witnessed: Database, rounds: list[list[Action]]
) -> None:
    await live(witnessed, rounds)


@EXAMINED
@given(rounds=OTHER_LIVES)
async def test_no_call_and_no_mail_is_committed_after_a_refusal_was(
    witnessed: Database, rounds: list[list[Action]]
) -> None:
    await live(witnessed, rounds)
