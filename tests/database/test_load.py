"""The sample of the load: what waits for a worker counts, what waits for anything else does not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from cli.dev.postgres import EmbeddedPostgres
from models.enums import MessageStatus, MessageType
from models.queries.system import load
from models.queries.system.load import Sample
from models.session import Database
from providers.ports.messages import Answer
from tests.activities.doubles import ACCEPTED, AMBIGUOUS, NOT_PROCESSED, Scripted
from tests.activities.harness import Stage
from tests.factories import make_message, make_owner, new_message, unique
from tests.stack import async_url, make_database
from workflows.messages.types import DispatchStep, Ending, Verdict

SECOND = timedelta(seconds=1)
AGE = timedelta(seconds=30)


@pytest.fixture(scope="module")
def own_url(postgres: EmbeddedPostgres) -> str:
    """A database in which no other test's rows are found; a sample is of all tenants."""
    return async_url(make_database(postgres, unique("load").replace("-", "_")))


@pytest.fixture
async def alone(own_url: str) -> AsyncIterator[Database]:
    database = Database(own_url, pool_size=10)
    async with database.transaction() as db:
        await db.execute(text("UPDATE message SET completed_at = now(), status = 'CANCELED'"))
    yield database
    await database.close()


async def stage_of(database: Database, *answers: Scripted, slots: int = 20) -> Stage:
    return Stage(database, await make_owner(database), *answers, slots=slots)


@pytest.fixture
async def stage(alone: Database) -> Stage:
    return await stage_of(alone, Scripted(ACCEPTED))


async def sampled(database: Database, *, limit: int = 100_000) -> Sample:
    """Take a sample now, open messages included, and read it."""
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE load_sample SET sampled_at = '2000-01-01', count_again_at = '2000-01-01'")
        )
    async with database.transaction() as db:
        assert await load.take_sample(db, every=SECOND)
        await load.count_open(db, limit=limit)
    async with database.read() as db:
        return await load.read(db)


async def due_since(stage: Stage, age: timedelta = AGE, type: MessageType = MessageType.OTP) -> int:
    message = new_message(stage.owner, type=type, accepted_at=datetime.now(UTC) - age)
    return await make_message(stage.database, message)


async def test_what_is_due_and_was_not_looked_at_is_late_since_it_was_due(stage: Stage) -> None:
    await due_since(stage)
    await due_since(stage, 10 * SECOND)
    sample = await sampled(stage.database)
    assert sample.load.lag(1) == pytest.approx(30, abs=5)
    assert sample.load.of(stage.owner.tenant_id, 1) == 2
    assert sample.age < 5


async def test_nothing_open_is_no_lag(alone: Database) -> None:
    sample = await sampled(alone)
    assert (sample.load.lag(4), sample.open) == (0, {})


async def test_less_urgent_messages_are_no_lag_of_the_more_urgent(stage: Stage) -> None:
    await due_since(stage, type=MessageType.REMINDER)
    await due_since(stage, 10 * SECOND, type=MessageType.NOTIFICATION)
    waiting = (await sampled(stage.database)).load
    tenant = stage.owner.tenant_id
    assert [waiting.of(tenant, priority) for priority in (1, 2, 3, 4)] == [0, 0, 2, 2]
    assert [waiting.lag(priority) > 5 for priority in (1, 2, 3, 4)] == [False, False, True, True]


async def test_each_tenant_is_counted_by_itself(stage: Stage) -> None:
    other = await stage_of(stage.database, Scripted())
    for _ in range(3):
        await due_since(stage)
    await due_since(other)
    waiting = (await sampled(stage.database)).load
    assert waiting.of(stage.owner.tenant_id, 1) == 3
    assert waiting.of(other.owner.tenant_id, 1) == 1


async def scheduled(stage: Stage, _: Client) -> None:
    await make_message(stage.database, new_message(stage.owner, due_in=timedelta(hours=1)))


async def scheduled_and_looked_at(stage: Stage, _: Client) -> None:
    message = new_message(stage.owner, due_in=timedelta(hours=1))
    assert (await stage.dispatch(await make_message(stage.database, message))).until


async def accepted_by_the_provider(stage: Stage, _: Client) -> None:
    assert (await stage.dispatch(await due_since(stage))).verdict is Verdict.ACCEPTED


async def canceled(stage: Stage, _: Client) -> None:
    await stage.settle(await due_since(stage), Ending.BLOCKED)


async def amid_a_call(stage: Stage, _: Client) -> None:
    await stage.crash(await due_since(stage), deadline_in=timedelta(minutes=1), provider="one")


async def of_an_inactive_merchant(stage: Stage, _: Client) -> None:
    await _write(stage, "UPDATE merchant SET active = FALSE WHERE tenant_id = :t")
    assert (await stage.dispatch(await due_since(stage))).verdict is Verdict.LATER


async def held_for_quiet_hours(stage: Stage, _: Client) -> None:
    ahead = (3 - datetime.now(UTC).hour + 12) % 24 - 12
    zone = f"Etc/GMT{-ahead:+d}"  # where it is three in the night; the sign is the other way round
    await _write(stage, "UPDATE merchant SET timezone = :zone WHERE tenant_id = :t", zone=zone)
    await _write(
        stage,
        "INSERT INTO consent (tenant_id, merchant_id, channel, contact_key, contact, status,"
        " source, version, updated_at) VALUES (:t, :m, 'SMS', '+18005551234', '+18005551234',"
        " 'OPT_IN', 'test', 0, now())",
        m=stage.owner.merchant_id,
    )
    message = new_message(stage.owner, type=MessageType.MARKETING, to="+18005551234")
    assert (await stage.dispatch(await make_message(stage.database, message))).until


async def in_its_senders_queue(stage: Stage, client: Client) -> None:
    await _write(stage, "UPDATE sender_number SET segments_per_second = 0.01 WHERE tenant_id = :t")
    verdicts = []
    for _ in range(2):
        message_id = await due_since(stage, type=MessageType.REMINDER)
        step = DispatchStep(tenant_id=stage.owner.tenant_id, message_id=message_id)
        run = ActivityEnvironment(client=client).run
        verdicts.append((await run(stage.dispatching.dispatch, step)).verdict)
    assert verdicts == [Verdict.ACCEPTED, Verdict.LINE]


WAITS = (
    scheduled,
    scheduled_and_looked_at,
    accepted_by_the_provider,
    canceled,
    amid_a_call,
    of_an_inactive_merchant,
    held_for_quiet_hours,
    in_its_senders_queue,
)


@pytest.mark.parametrize("happen", WAITS, ids=lambda happen: happen.__name__)
async def test_what_waits_for_something_else_than_a_worker_is_no_lag(
    stage: Stage, client: Client, happen: Callable[[Stage, Client], Awaitable[None]]
) -> None:
    await happen(stage, client)
    assert (await sampled(stage.database)).load.lag(4) == 0


@pytest.mark.parametrize("answer", [AMBIGUOUS, NOT_PROCESSED])
async def test_what_was_tried_in_vain_is_no_lag(alone: Database, answer: Answer) -> None:
    stage = await stage_of(alone, Scripted(answer))
    await stage.dispatch(await due_since(stage))
    assert (await sampled(alone)).load.lag(4) == 0


async def test_the_queue_of_a_busy_provider_is_no_lag_of_others(alone: Database) -> None:
    stage = await stage_of(alone, Scripted(), slots=0)
    message_id = await due_since(stage)
    assert (await stage.dispatch(message_id)).verdict is Verdict.BUSY
    assert (await sampled(alone)).load.lag(4) == 0
    assert (await stage.message(message_id)).status == MessageStatus.QUEUED


async def test_what_waited_and_is_not_looked_at_again_is_late_from_then_on(stage: Stage) -> None:
    await _write(stage, "UPDATE merchant SET active = FALSE WHERE tenant_id = :t")
    message_id = await due_since(stage)
    await stage.dispatch(message_id)
    await _write(
        stage, "UPDATE message SET ready_at = ready_at - interval '1 minute' WHERE tenant_id = :t"
    )
    assert (await sampled(stage.database)).load.lag(1) == pytest.approx(55, abs=5)


async def test_a_scheduled_bulk_counts_once_it_is_due(stage: Stage) -> None:
    then = datetime.now(UTC) - timedelta(hours=2)
    message = new_message(stage.owner, accepted_at=then, due_in=timedelta(hours=2) - 5 * SECOND)
    for _ in range(3):
        await make_message(stage.database, message)
    waiting = (await sampled(stage.database)).load
    assert waiting.of(stage.owner.tenant_id, 2) == 3
    assert waiting.lag(2) == pytest.approx(5, abs=4)


async def test_direct_email_of_a_tenant_counts_as_well(stage: Stage) -> None:
    message = new_message(stage.owner, accepted_at=datetime.now(UTC) - AGE)
    await make_message(stage.database, replace(message, merchant_id=None, funded=False))
    assert (await sampled(stage.database)).load.of(stage.owner.tenant_id, 2) == 1


async def test_of_many_processes_one_takes_the_sample(stage: Stage) -> None:
    await sampled(stage.database)
    await _write(stage, "UPDATE load_sample SET sampled_at = '2000-01-01'")

    async def take() -> bool:
        async with stage.database.transaction() as db:
            return await load.take_sample(db, every=SECOND)

    assert sum(await asyncio.gather(*(take() for _ in range(8)))) == 1
    assert not await take(), "the sample is fresh"


async def test_a_process_that_dies_amid_a_sample_leaves_it_to_the_next(stage: Stage) -> None:
    await sampled(stage.database)
    await _write(stage, "UPDATE load_sample SET sampled_at = '2000-01-01'")
    taken = asyncio.Event()
    dying = asyncio.create_task(_sample_and_wait(stage.database, taken))
    await taken.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    async with stage.database.transaction() as db:
        assert await load.take_sample(db, every=SECOND)


async def test_open_messages_are_counted_whatever_they_wait_for(stage: Stage) -> None:
    other = await stage_of(stage.database, Scripted())
    await due_since(stage)
    await make_message(stage.database, new_message(stage.owner, due_in=timedelta(hours=1)))
    await stage.dispatch(await due_since(stage))
    await stage.settle(await due_since(stage), Ending.BLOCKED)
    await due_since(other)
    sample = await sampled(stage.database, limit=4)
    assert sample.open == {stage.owner.tenant_id: 3}, "others are far from their limit"


async def _sample_and_wait(database: Database, taken: asyncio.Event) -> None:
    async with database.transaction() as db:
        assert await load.take_sample(db, every=SECOND)
        taken.set()
        await asyncio.Event().wait()


async def _write(stage: Stage, sql: str, **values: object) -> None:
    async with stage.database.transaction() as db:
        await db.execute(text(sql), {"t": stage.owner.tenant_id, **values})
