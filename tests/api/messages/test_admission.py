"""Load shedding: refused sends, and requests that are never refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.routed_senders import RoutedSenders
from api.services.messages.started import StartedMessages
from cli.dev.postgres import EmbeddedPostgres
from models.enums import MessageType
from models.errors import TooManyOpen
from models.rules.messages.admission import FEW
from models.rules.messages.identity import SendStart
from models.session import Database
from providers.routing import Routes
from tests.api.container import put_in
from tests.api.doubles import Clock, FakeStarter
from tests.api.integrator import DIRECT, EMAIL, SMS, VOICE, Integrator
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_message, make_owner, new_message, unique
from tests.stack import async_url, make_database

BODIES = [
    ("/messages/sms", SMS),
    ("/messages/voice", VOICE),
    ("/messages/email", EMAIL),
    ("/email/send", DIRECT),
]


class Time:
    """Returns a time that tests set."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def limited(
    harness: None, app: FastAPI, database: Database, starter: FakeStarter, clock: Clock
) -> None:
    """Limit every tenant to one open message."""
    sending = Sending(
        database,
        starter,
        Permissions(
            database,
            UnsubscribeLinks("http://api.test", "only-for-tests-too"),
            RoutedSenders(Routes([], {})),
        ),
        admission=Admission(database, limit=1),
        start_within=timedelta(seconds=2),
        clock=clock,
    )
    put_in(app, "messages", sending=sending)


@pytest.mark.parametrize(("path", "body"), BODIES, ids=[path for path, _ in BODIES])
async def test_one_more_than_may_be_open_is_429_and_writes_nothing(
    gym: Integrator, limited: None, database: Database, path: str, body: dict[str, Any]
) -> None:
    assert (await gym.post("/messages/sms", SMS)).status_code == 200
    answer = await gym.post(path, body, key="one-more")
    assert (answer.status_code, answer.json()["code"]) == (429, "TOO_MANY_OPEN")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    async with database.read() as db:
        count = "SELECT count(*) FROM message WHERE tenant_id = :t"
        assert await db.scalar(text(count), {"t": gym.tenant_id}) == 1


async def test_concurrent_sends_do_not_exceed_the_limit_of_open_messages(
    gym: Integrator, limited: None
) -> None:
    answers = await asyncio.gather(*(gym.post("/messages/sms", SMS) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + 9 * [429]


async def test_a_failed_send_frees_its_reservation(gym: Integrator, limited: None) -> None:
    unknown = {**SMS, "merchantId": "nobody"}
    assert (await gym.post("/messages/sms", unknown)).status_code == 404
    assert (await gym.post("/messages/sms", SMS)).status_code == 200


async def test_a_known_key_is_answered_from_its_record_whatever_the_load(
    gym: Integrator, limited: None
) -> None:
    first = await gym.post("/messages/sms", SMS, key="once")
    again = await gym.post("/messages/sms", SMS, key="once")
    other = await gym.post("/messages/sms", {**SMS, "message": "Another"}, key="once")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.json()["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_an_invalid_send_is_400_also_under_load(gym: Integrator, limited: None) -> None:
    await gym.post("/messages/sms", SMS)
    answer = await gym.post("/messages/sms", {**SMS, "to": "nobody"})
    assert answer.json()["code"] == "INVALID_PHONE_NUMBER"


@pytest.fixture(scope="module")
def own_url(postgres: EmbeddedPostgres) -> str:
    """A database of its own: the load is that of all tenants."""
    return async_url(make_database(postgres, unique("admission").replace("-", "_")))


@pytest.fixture
async def alone(own_url: str) -> AsyncIterator[Database]:
    database = Database(own_url, pool_size=10, contact_keys=CONTACT_KEYS)
    async with database.transaction() as db:
        await db.execute(text("UPDATE message SET completed_at = now(), status = 'CANCELED'"))
        await db.execute(
            text("UPDATE load_sample SET sampled_at = '2000-01-01', count_again_at = '2000-01-01'")
        )
    yield database
    await database.close()


async def crowd(
    database: Database, owner: Owner, number: int, type: MessageType, *, age: int = 10
) -> None:
    """Insert so many messages that wait for a worker."""
    then = datetime.now(UTC) - timedelta(seconds=age)
    for _ in range(number):
        await make_message(database, new_message(owner, type=type, accepted_at=then))


def taken(admission: Admission, owner: Owner, type: MessageType) -> bool:
    try:
        admission.check(owner.tenant_id, type)
    except TooManyOpen:
        return False
    return True


async def test_while_messages_wait_too_long_the_tenant_with_the_most_is_refused(
    alone: Database,
) -> None:
    heavy, light = await make_owner(alone), await make_owner(alone)
    await crowd(alone, heavy, FEW + 5, MessageType.TRANSACTIONAL)
    await crowd(alone, light, 2, MessageType.TRANSACTIONAL)
    admission = Admission(alone, limit=1000)
    assert taken(admission, heavy, MessageType.REMINDER), "nothing is known yet"
    await admission.look()
    kinds = (MessageType.OTP, MessageType.TRANSACTIONAL, MessageType.REMINDER)
    assert [taken(admission, heavy, kind) for kind in kinds] == [True, False, False]
    assert [taken(admission, light, kind) for kind in kinds] == [True, True, True]


async def test_every_process_judges_by_the_same_sample(alone: Database) -> None:
    heavy = await make_owner(alone)
    await crowd(alone, heavy, FEW + 5, MessageType.OTP)
    processes = [Admission(alone, limit=1000) for _ in range(3)]
    await asyncio.gather(*(process.look() for process in processes))
    await asyncio.gather(*(process.look() for process in processes))
    assert [taken(process, heavy, MessageType.OTP) for process in processes] == [False] * 3


async def test_an_outdated_sample_refuses_no_send(alone: Database) -> None:
    heavy = await make_owner(alone)
    await crowd(alone, heavy, FEW + 5, MessageType.OTP)
    admission = Admission(alone, limit=1000)
    await admission.look()
    assert not taken(admission, heavy, MessageType.OTP)
    async with alone.transaction() as db:
        await db.execute(text("UPDATE load_sample SET sampled_at = now() - interval '1 minute'"))
    async with alone.transaction() as db:  # a process that has stopped in the middle of its sample
        await db.execute(text("SELECT 1 FROM load_sample FOR UPDATE"))
        await admission.look()
    assert taken(admission, heavy, MessageType.OTP)


async def test_old_counts_refuse_no_send(alone: Database) -> None:
    time, heavy = Time(), await make_owner(alone)
    await crowd(alone, heavy, FEW + 5, MessageType.OTP)
    admission = Admission(alone, limit=1000, clock=time)
    await admission.look()
    assert not taken(admission, heavy, MessageType.OTP)
    time.now += 15
    assert taken(admission, heavy, MessageType.OTP)


async def test_an_unreachable_database_refuses_no_send(alone: Database) -> None:
    heavy = await make_owner(alone)
    await crowd(alone, heavy, FEW + 5, MessageType.OTP)
    admission = Admission(alone, limit=1000)
    await admission.look()
    nowhere = Database("postgresql+psycopg://u:p@127.0.0.1:1/none")
    lost = Admission(nowhere, limit=1000)
    under_way = asyncio.create_task(lost.run())
    await asyncio.sleep(0.5)
    assert not under_way.done()
    assert taken(lost, heavy, MessageType.OTP)
    under_way.cancel()
    await nowhere.close()


async def test_one_process_keeps_the_limit_exactly_and_a_count_makes_room_again(
    alone: Database,
) -> None:
    time, owner = Time(), await make_owner(alone)
    admission = Admission(alone, limit=3, clock=time)
    await admission.look()
    for _ in range(3):
        admission.check(owner.tenant_id, MessageType.OTP)
        admission.note(owner.tenant_id)
        time.now += 0.5
    assert not taken(admission, owner, MessageType.OTP)
    time.now += 60
    async with alone.transaction() as db:
        await db.execute(
            text("UPDATE load_sample SET sampled_at = '2000-01-01', count_again_at = '2000-01-01'")
        )
    await admission.count()
    await admission.look()
    assert not taken(admission, owner, MessageType.OTP), "the last second may not be counted yet"
    time.now += 60
    await admission.look()
    assert taken(admission, owner, MessageType.OTP), "all three have ended, or were never written"


async def test_sends_of_other_processes_are_counted_within_seconds(alone: Database) -> None:
    owner = await make_owner(alone)
    await crowd(alone, owner, 3, MessageType.OTP, age=0)
    admission = Admission(alone, limit=3)
    await admission.count()
    await admission.look()
    assert not taken(admission, owner, MessageType.OTP)


async def test_a_started_message_without_an_attempt_is_noted_for_the_sweeper(
    alone: Database,
) -> None:
    time, owner = Time(), await make_owner(alone)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    message_id = await make_message(alone, replace(new_message(owner), sweep_at=soon))
    started = StartedMessages(alone, timedelta(minutes=1), time)
    started.note(_start(owner, message_id))
    await started.write_down()
    assert await _sweep_at(alone, message_id) == soon, "it may have an attempt in a moment"
    time.now = 1
    await started.write_down()
    assert await _sweep_at(alone, message_id) > soon + timedelta(seconds=50)


def _start(owner: Owner, message_id: int) -> SendStart:
    message = new_message(owner)
    return SendStart(
        tenant_id=owner.tenant_id,
        tenant_public_id=owner.tenant_public_id,
        message_id=message_id,
        public_id=10**15 + message_id,
        merchant_id=owner.merchant_id,
        merchant=owner.merchant,
        channel=message.channel,
        type=message.type,
        operation=message.operation,
        scope=message.scope,
        idempotency_key=None,
    )


async def _sweep_at(database: Database, message_id: int) -> datetime:
    async with database.read() as db:
        at: datetime = await db.scalar(
            text("SELECT sweep_at FROM message WHERE id = :id"), {"id": message_id}
        )
        return at
