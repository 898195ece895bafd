"""The load sample counts messages that wait for a worker, and no others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.messages.waits import note_preparation
from api.services.messages.admission import Admission
from cli.dev.postgres import EmbeddedPostgres
from models.enums import MessageStatus, MessageType
from models.queries.system import load
from models.queries.system.load import Sample
from models.rules.messages.admission import SHARED_BY
from models.session import Database
from providers.ports.messages import Answer
from tests.activities.counted import Counted, counted
from tests.activities.doubles import ACCEPTED, AMBIGUOUS, NOT_PROCESSED, Scripted
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS, key_of
from tests.factories import make_message, make_owner, new_message, unique
from tests.stack import async_url, make_database
from workflows.messages.types import DispatchStep, Ending, Verdict

SECOND = timedelta(seconds=1)
AGE = timedelta(seconds=30)


@pytest.fixture(scope="module")
def own_url(postgres: EmbeddedPostgres) -> str:
    """A database of its own: a sample covers all tenants."""
    return async_url(make_database(postgres, unique("load").replace("-", "_")))


@pytest.fixture
async def alone(own_url: str) -> AsyncIterator[Database]:
    database = Database(own_url, pool_size=10, contact_keys=CONTACT_KEYS)
    async with database.transaction() as db:
        await db.execute(text("UPDATE message SET completed_at = now(), status = 'CANCELED'"))
    yield database
    await database.close()


async def stage_of(database: Database, *answers: Scripted, slots: int = 20) -> Harness:
    return Harness(database, await make_owner(database), *answers, slots=slots)


@pytest.fixture
async def harness(alone: Database) -> Harness:
    return await stage_of(alone, Scripted(ACCEPTED))


async def sampled(database: Database, *, limit: int = 100_000) -> Sample:
    """Take a sample now, open messages included, and read it."""
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE load_sample SET sampled_at = '2000-01-01', count_again_at = '2000-01-01'")
        )
    async with database.transaction() as db:
        assert await load.take_sample(db, every=SECOND)
        now = await load.lease_count(db)
    assert now is not None
    async with database.transaction() as db:
        await load.count_open(db, now=now, limit=limit)
    async with database.read() as db:
        return await load.read(db)


async def due_since(
    harness: Harness, age: timedelta = AGE, type: MessageType = MessageType.OTP
) -> int:
    message = new_message(harness.owner, type=type, accepted_at=datetime.now(UTC) - age)
    return await make_message(harness.database, message)


async def test_a_due_message_is_late_since_it_was_due(harness: Harness) -> None:
    await due_since(harness)
    await due_since(harness, 10 * SECOND)
    sample = await sampled(harness.database)
    assert sample.load.oldest(1) == pytest.approx(30, abs=5)
    assert sample.load.of(harness.owner.tenant_id, 1) == 2
    assert sample.age < 5


async def test_a_lag_is_what_several_messages_share(harness: Harness) -> None:
    for number in range(SHARED_BY - 1):
        await due_since(harness, AGE + number * SECOND)
    sample = await sampled(harness.database)
    assert (sample.load.lag(4), sample.load.oldest(4) > 30) == (0, True)
    await due_since(harness, 10 * SECOND)
    assert (await sampled(harness.database)).load.lag(4) == pytest.approx(10, abs=5)


async def test_nothing_open_is_no_lag(alone: Database) -> None:
    sample = await sampled(alone)
    assert (sample.load.oldest(4), sample.open) == (0, {})


async def test_less_urgent_messages_are_no_lag_of_the_more_urgent(harness: Harness) -> None:
    await due_since(harness, type=MessageType.REMINDER)
    await due_since(harness, 10 * SECOND, type=MessageType.NOTIFICATION)
    waiting = (await sampled(harness.database)).load
    tenant = harness.owner.tenant_id
    assert [waiting.of(tenant, priority) for priority in (1, 2, 3, 4)] == [0, 0, 2, 2]
    assert [waiting.oldest(priority) > 5 for priority in (1, 2, 3, 4)] == [False, False, True, True]


async def test_each_tenant_is_counted_by_itself(harness: Harness) -> None:
    other = await stage_of(harness.database, Scripted())
    for _ in range(3):
        await due_since(harness)
    await due_since(other)
    waiting = (await sampled(harness.database)).load
    assert waiting.of(harness.owner.tenant_id, 1) == 3
    assert waiting.of(other.owner.tenant_id, 1) == 1


async def scheduled(harness: Harness, _: Client) -> None:
    await make_message(harness.database, new_message(harness.owner, due_in=timedelta(hours=1)))


async def scheduled_and_looked_at(harness: Harness, _: Client) -> None:
    message = new_message(harness.owner, due_in=timedelta(hours=1))
    assert (await harness.dispatch(await make_message(harness.database, message))).until


async def accepted_by_the_provider(harness: Harness, _: Client) -> None:
    assert (await harness.dispatch(await due_since(harness))).verdict is Verdict.ACCEPTED


async def canceled(harness: Harness, _: Client) -> None:
    await harness.settle(await due_since(harness), Ending.BLOCKED)


async def amid_a_call(harness: Harness, _: Client) -> None:
    await harness.crash(await due_since(harness), deadline_in=timedelta(minutes=1), provider="one")


async def of_an_inactive_merchant(harness: Harness, _: Client) -> None:
    await _write(harness, "UPDATE merchant SET active = FALSE WHERE tenant_id = :t")
    assert (await harness.dispatch(await due_since(harness))).verdict is Verdict.LATER


async def held_for_quiet_hours(harness: Harness, _: Client) -> None:
    ahead = (3 - datetime.now(UTC).hour + 12) % 24 - 12
    zone = f"Etc/GMT{-ahead:+d}"  # a zone where it is 03:00; the sign of these names is inverted
    await _write(harness, "UPDATE merchant SET timezone = :zone WHERE tenant_id = :t", zone=zone)
    await _write(
        harness,
        "INSERT INTO consent (tenant_id, merchant_id, channel, contact_key, contact, status,"
        " source, version, updated_at) VALUES (:t, :m, 'SMS', :key, '+18005551234',"
        " 'OPT_IN', 'test', 0, now())",
        m=harness.owner.merchant_id,
        key=key_of("+18005551234"),
    )
    message = new_message(harness.owner, type=MessageType.MARKETING, to="+18005551234")
    assert (await harness.dispatch(await make_message(harness.database, message))).until


async def forbidden_and_not_settled(harness: Harness, _: Client) -> None:
    message_id = await due_since(harness)
    await _write(
        harness,
        "UPDATE message SET expires_at = now() - interval '1 second' WHERE tenant_id = :t",
    )
    assert (await harness.dispatch(message_id)).verdict is Verdict.BLOCKED


async def refused_without_a_provider_and_not_settled(harness: Harness, _: Client) -> None:
    alone = Harness(harness.database, harness.owner)
    assert (await alone.dispatch(await due_since(harness))).verdict is Verdict.REFUSED


async def failing_by_its_contents(harness: Harness, _: Client) -> None:
    failing = Counted(harness.database, harness.owner, Scripted())
    message_id = await due_since(harness)
    await _write(
        harness,
        "UPDATE message SET channel = 'VOICE', details = '{\"record\": true}' WHERE tenant_id = :t",
    )
    assert isinstance(await failing.hand_over(message_id), ApplicationError)


async def failing_by_infrastructure(harness: Harness, _: Client) -> None:
    async def fail(_: DispatchStep) -> None:
        raise ConnectionError

    step = DispatchStep(tenant_id=harness.owner.tenant_id, message_id=await due_since(harness))
    with pytest.raises(ConnectionError):
        await counted(harness.database, "dispatch", fail, step)


async def waiting_for_its_text_part(harness: Harness, _: Client) -> None:
    message_id = await due_since(harness)
    step = DispatchStep(tenant_id=harness.owner.tenant_id, message_id=message_id)
    async with harness.database.transaction() as db:
        await note_preparation(db, step)


async def in_its_senders_queue(harness: Harness, client: Client) -> None:
    await _write(
        harness, "UPDATE sender_number SET segments_per_second = 0.01 WHERE tenant_id = :t"
    )
    verdicts = []
    for _ in range(2):
        message_id = await due_since(harness, type=MessageType.REMINDER)
        step = DispatchStep(tenant_id=harness.owner.tenant_id, message_id=message_id)
        run = ActivityEnvironment(client=client).run
        verdicts.append((await run(harness.dispatching.dispatch, step)).verdict)
    assert verdicts == [Verdict.ACCEPTED, Verdict.QUEUED_FOR_SENDER]


WAITS = (
    scheduled,
    scheduled_and_looked_at,
    accepted_by_the_provider,
    canceled,
    amid_a_call,
    of_an_inactive_merchant,
    held_for_quiet_hours,
    in_its_senders_queue,
    forbidden_and_not_settled,
    refused_without_a_provider_and_not_settled,
    failing_by_its_contents,
    failing_by_infrastructure,
    waiting_for_its_text_part,
)


@pytest.mark.parametrize("happen", WAITS, ids=lambda happen: happen.__name__)
async def test_waits_for_other_things_than_a_worker_are_no_lag(
    harness: Harness, client: Client, happen: Callable[[Harness, Client], Awaitable[None]]
) -> None:
    await happen(harness, client)
    assert (await sampled(harness.database)).load.oldest(4) == 0


@pytest.mark.parametrize("answer", [AMBIGUOUS, NOT_PROCESSED])
async def test_a_failed_attempt_is_no_lag(alone: Database, answer: Answer) -> None:
    harness = await stage_of(alone, Scripted(answer))
    await harness.dispatch(await due_since(harness))
    assert (await sampled(alone)).load.oldest(4) == 0


async def test_the_queue_of_a_busy_provider_is_no_lag_of_others(alone: Database) -> None:
    harness = await stage_of(alone, Scripted(), slots=0)
    message_id = await due_since(harness)
    assert (await harness.dispatch(message_id)).verdict is Verdict.BUSY
    assert (await sampled(alone)).load.oldest(4) == 0
    assert (await harness.message(message_id)).status == MessageStatus.QUEUED


async def test_what_waited_and_is_not_looked_at_again_is_late_from_then_on(
    harness: Harness,
) -> None:
    await _write(harness, "UPDATE merchant SET active = FALSE WHERE tenant_id = :t")
    message_id = await due_since(harness)
    await harness.dispatch(message_id)
    await _write(
        harness, "UPDATE message SET ready_at = ready_at - interval '1 minute' WHERE tenant_id = :t"
    )
    assert (await sampled(harness.database)).load.oldest(1) == pytest.approx(55, abs=5)


async def test_a_scheduled_bulk_counts_once_it_is_due(harness: Harness) -> None:
    then = datetime.now(UTC) - timedelta(hours=2)
    message = new_message(harness.owner, accepted_at=then, due_in=timedelta(hours=2) - 5 * SECOND)
    for _ in range(3):
        await make_message(harness.database, message)
    waiting = (await sampled(harness.database)).load
    assert waiting.of(harness.owner.tenant_id, 2) == 3
    assert waiting.oldest(2) == pytest.approx(5, abs=4)


async def test_direct_email_of_a_tenant_counts_as_well(harness: Harness) -> None:
    message = new_message(harness.owner, accepted_at=datetime.now(UTC) - AGE)
    await make_message(harness.database, replace(message, merchant_id=None, funded=False))
    assert (await sampled(harness.database)).load.of(harness.owner.tenant_id, 2) == 1


async def test_one_of_many_processes_takes_the_sample(harness: Harness) -> None:
    await sampled(harness.database)
    await _write(harness, "UPDATE load_sample SET sampled_at = '2000-01-01'")

    async def take() -> bool:
        async with harness.database.transaction() as db:
            return await load.take_sample(db, every=SECOND)

    assert sum(await asyncio.gather(*(take() for _ in range(8)))) == 1
    assert not await take(), "the sample is fresh"


async def test_a_process_that_dies_amid_a_sample_leaves_it_to_the_next(harness: Harness) -> None:
    await sampled(harness.database)
    await _write(harness, "UPDATE load_sample SET sampled_at = '2000-01-01'")
    taken = asyncio.Event()
    dying = asyncio.create_task(_sample_and_wait(harness.database, taken))
    await taken.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    async with harness.database.transaction() as db:
        assert await load.take_sample(db, every=SECOND)


async def test_open_messages_are_counted_whatever_they_wait_for(harness: Harness) -> None:
    other = await stage_of(harness.database, Scripted())
    await due_since(harness)
    await make_message(harness.database, new_message(harness.owner, due_in=timedelta(hours=1)))
    await harness.dispatch(await due_since(harness))
    await harness.settle(await due_since(harness), Ending.BLOCKED)
    await due_since(other)
    sample = await sampled(harness.database, limit=4)
    assert sample.open == {harness.owner.tenant_id: 3}, "others are far from their limit"


async def test_a_count_that_fails_is_not_begun_again_at_once(harness: Harness) -> None:
    await sampled(harness.database)
    await _write(harness, "UPDATE load_sample SET count_again_at = '2000-01-01'")
    await due_since(harness)
    impatient = Admission(harness.database, limit=-1)  # LIMIT must not be negative
    with pytest.raises(DBAPIError):
        await impatient.count()
    await impatient.count()
    async with harness.database.transaction() as db:
        assert await load.lease_count(db) is None


async def test_one_of_many_processes_counts(harness: Harness) -> None:
    await sampled(harness.database)
    await _write(harness, "UPDATE load_sample SET count_again_at = '2000-01-01'")

    async def lease() -> bool:
        async with harness.database.transaction() as db:
            return await load.lease_count(db) is not None

    await due_since(harness)
    assert sum(await asyncio.gather(*(lease() for _ in range(8)))) == 1


async def _sample_and_wait(database: Database, taken: asyncio.Event) -> None:
    async with database.transaction() as db:
        assert await load.take_sample(db, every=SECOND)
        taken.set()
        await asyncio.Event().wait()


async def _write(harness: Harness, sql: str, **values: object) -> None:
    async with harness.database.transaction() as db:
        await db.execute(text(sql), {"t": harness.owner.tenant_id, **values})
