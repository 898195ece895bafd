"""Sweeping: stalled rows get their workflow, unapplied reports their effect."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.system.sweep_messages import Sweeping, SweepTask
from cli.dev.postgres import EmbeddedPostgres
from models.database.limits import HOUSEKEEPING
from models.enums import MessageStatus, ReportStatus
from models.rules.waits import SendWaits
from models.rules.workflow_ids import keyed_workflow_id
from models.session import Database
from providers.routing import Routes
from tests.activities.doubles import AMBIGUOUS, Scripted
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS
from tests.factories import make_message, make_owner, new_message, unique
from tests.inbound.harness import make_merchant_fixture
from tests.stack import async_url, make_database
from workflows.messages.types import (
    Ending,
)
from workflows.system.sweeper_types import SweepResult

SECOND = timedelta(seconds=1)
GRACE = timedelta(seconds=30)
EVERY = timedelta(seconds=7)
WAITS = SendWaits(
    report_wait=SECOND,
    poll_first=SECOND,
    poll_longest=SECOND,
    reconcile_every=SECOND,
    reconcile_horizon=SECOND,
)


@pytest.fixture
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database of its own: sweeping processes all tenants."""
    url = make_database(postgres, unique("sweep").replace("-", "_"))
    database = Database(async_url(url), pool_size=10, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


@pytest.fixture
async def harness(alone: Database) -> Harness:
    return Harness(alone, await make_owner(alone), Scripted())


def sweeping(harness: Harness, client: Client, *, tasks: Sequence[SweepTask[int]] = ()) -> Sweeping:
    routes = Routes([], {})
    return Sweeping(harness.database, client, WAITS, routes, every=EVERY, grace=GRACE, tasks=tasks)


async def sweep(harness: Harness, client: Client) -> SweepResult:
    return await ActivityEnvironment().run(sweeping(harness, client).sweep)


async def stalled(harness: Harness, *, since: timedelta, key: str | None = None) -> int:
    """Accept a message that is due for the sweeper since a while (or not yet)."""
    message = new_message(harness.owner, key=key)
    due = replace(message, sweep_at=datetime.now(UTC) - since)
    return await make_message(harness.database, due)


async def id_of(harness: Harness, message_id: int, key: str | None = None) -> str:
    public_id = (await harness.message(message_id)).public_id
    return keyed_workflow_id("send-sms", harness.owner.tenant_public_id, "", key, public_id)


async def runs(client: Client, workflow_id: str) -> bool:
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return False
    assert described.workflow_type == "send-message"
    return described.status is WorkflowExecutionStatus.RUNNING


async def test_only_what_is_due_and_silent_is_started(harness: Harness, client: Client) -> None:
    key = unique("key")
    due = await stalled(harness, since=SECOND, key=key)
    unkeyed = await stalled(harness, since=SECOND)
    not_yet = await stalled(harness, since=-timedelta(minutes=1))
    ended = await stalled(harness, since=SECOND)
    await harness.settle(ended, Ending.BLOCKED)
    swept = await sweep(harness, client)
    assert swept == SweepResult(started=2, applied=0, next_in=EVERY)
    assert await runs(client, await id_of(harness, due, key))
    assert await runs(client, await id_of(harness, unkeyed))
    assert not await runs(client, await id_of(harness, not_yet))
    assert not await runs(client, await id_of(harness, ended))


async def test_a_swept_message_is_not_swept_again_for_a_while(
    harness: Harness, client: Client
) -> None:
    message_id = await stalled(harness, since=SECOND)
    before = datetime.now(UTC)
    assert (await sweep(harness, client)).started == 1
    next_look = (await harness.message(message_id)).sweep_at
    assert GRACE <= next_look - before < GRACE + 5 * SECOND
    assert (await sweep(harness, client)).started == 0


async def test_the_older_a_message_the_rarer_it_is_looked_after(
    harness: Harness, client: Client
) -> None:
    now = datetime.now(UTC)
    ages = {timedelta(minutes=4): timedelta(minutes=2), timedelta(days=2): timedelta(minutes=10)}
    for age, gap in ages.items():
        message = new_message(harness.owner, accepted_at=now - age)
        message_id = await make_message(harness.database, replace(message, sweep_at=now))
        await sweep(harness, client)
        waits = (await harness.message(message_id)).sweep_at - now
        assert gap <= waits < gap + 5 * SECOND


async def test_two_sweepers_start_a_message_once(harness: Harness, client: Client) -> None:
    ids = [await stalled(harness, since=SECOND) for _ in range(10)]
    swept = await asyncio.gather(*(sweep(harness, client) for _ in range(4)))
    assert sum(turn.started for turn in swept) == 10
    for message_id in ids:
        assert await runs(client, await id_of(harness, message_id))


async def test_a_message_whose_workflow_runs_is_left_to_it(
    harness: Harness, client: Client
) -> None:
    message_id = await stalled(harness, since=SECOND)
    await sweep(harness, client)
    handle = client.get_workflow_handle(await id_of(harness, message_id))
    first = (await handle.describe()).run_id
    await _due_again(harness)
    assert (await sweep(harness, client)).started == 1
    assert (await handle.describe()).run_id == first


async def test_a_terminated_workflow_is_started_again(harness: Harness, client: Client) -> None:
    message_id = await stalled(harness, since=SECOND)
    await sweep(harness, client)
    await client.get_workflow_handle(await id_of(harness, message_id)).terminate()
    await _due_again(harness)
    assert (await sweep(harness, client)).started == 1
    assert await runs(client, await id_of(harness, message_id))


async def test_an_open_report_wakes_its_workflow(harness: Harness, client: Client) -> None:
    message_id = await stalled(harness, since=SECOND)
    await sweep(harness, client)
    await harness.dispatch(message_id)
    await harness.tell(message_id, ReportStatus.DELIVERED, received=datetime.now(UTC) - 2 * GRACE)
    assert (await sweep(harness, client)).applied == 1
    history = await client.get_workflow_handle(await id_of(harness, message_id)).fetch_history()
    signals = [
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert len(signals) == 1
    assert await harness.open_receipts(message_id) == 1


async def test_an_open_report_of_a_message_that_is_over_is_applied(
    alone: Database, client: Client
) -> None:
    harness = Harness(alone, await make_owner(alone), Scripted(AMBIGUOUS))
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    await harness.settle(message_id, Ending.GIVEN_UP)
    await harness.tell(message_id, ReportStatus.DELIVERED, received=datetime.now(UTC) - 2 * GRACE)
    assert await sweep(harness, client) == SweepResult(started=0, applied=1, next_in=EVERY)
    assert await harness.status(message_id) is MessageStatus.DELIVERED
    assert await harness.open_receipts(message_id) == 0
    assert (await sweep(harness, client)).applied == 0


async def test_a_locked_merchants_late_reports_hold_up_no_other_merchants(
    harness: Harness, client: Client
) -> None:
    other = Harness(
        harness.database,
        await make_merchant_fixture(harness.database, harness.owner, "Other"),
        Scripted(),
    )
    locked = [await _late(harness) for _ in range(8)]
    free = [await _late(other) for _ in range(2)]
    limits = replace(HOUSEKEEPING, lock=SECOND, slot_wait=SECOND / 2)
    url = harness.database.engine.url.render_as_string(hide_password=False)
    narrow = Database(url, pool_size=4, limits=limits, contact_keys=CONTACT_KEYS)
    async with harness.database.transaction() as db:
        await db.execute(
            text("SELECT 1 FROM message WHERE tenant_id = :t AND id = ANY(:ids) FOR UPDATE"),
            {"t": harness.owner.tenant_id, "ids": locked},
        )
        sweeper = Sweeping(narrow, client, WAITS, Routes([], {}), every=EVERY, grace=GRACE)
        swept = await ActivityEnvironment().run(sweeper.sweep)
    await narrow.close()
    assert isinstance(swept, SweepResult)
    assert swept.applied == 2
    assert {await other.status(message_id) for message_id in free} == {MessageStatus.DELIVERED}


async def _late(harness: Harness) -> int:
    """Let a message end without a report, then store one without applying it."""
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=SECOND, provider="one")
    await harness.settle(message_id, Ending.GIVEN_UP)
    await harness.tell(
        message_id,
        ReportStatus.DELIVERED,
        event_id=f"e{message_id}",
        received=datetime.now(UTC) - 2 * GRACE,
    )
    return message_id


async def test_a_fresh_report_is_left_to_the_webhook(harness: Harness, client: Client) -> None:
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    await harness.tell(message_id, ReportStatus.DELIVERED)
    assert (await sweep(harness, client)).applied == 0


async def test_a_report_that_finds_no_workflow_harms_nothing(
    harness: Harness, client: Client
) -> None:
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    await harness.tell(message_id, ReportStatus.DELIVERED, received=datetime.now(UTC) - 2 * GRACE)
    assert (await sweep(harness, client)).applied == 1
    assert await harness.open_receipts(message_id) == 1


@workflow.defn(name="over-at-once", sandboxed=False)
class OverAtOnce:
    @workflow.run
    async def run(self) -> None:
        pass


async def test_a_finished_workflow_that_left_its_message_open_is_counted(
    harness: Harness, client: Client
) -> None:
    key, queue = unique("key"), unique("queue")
    message_id = await stalled(harness, since=SECOND, key=key)
    async with Worker(client, task_queue=queue, workflows=[OverAtOnce]):
        await client.execute_workflow(
            OverAtOnce.run, id=await id_of(harness, message_id, key), task_queue=queue
        )
    before = REGISTRY.get_sample_value("hexavox_stranded_messages_total") or 0
    assert (await sweep(harness, client)).started == 0
    assert REGISTRY.get_sample_value("hexavox_stranded_messages_total") == before + 1
    assert (await harness.message(message_id)).ready_at is None, "it is no lag of workers"


async def _due_again(harness: Harness) -> None:
    async with harness.database.transaction() as db:
        await db.execute(text("UPDATE message SET sweep_at = now() - interval '1 second'"))


async def test_every_chore_is_done_and_one_that_fails_keeps_no_other_from_its_turn(
    harness: Harness, client: Client
) -> None:
    done: list[int] = []

    class Broken:
        async def take(self, now: datetime, most: int) -> list[int]:
            raise ConnectionError("no database")

        async def resume(self, row: int, /) -> bool:
            raise AssertionError

    class Noting:
        async def take(self, now: datetime, most: int) -> list[int]:
            return [1, 2, 3]

        async def resume(self, row: int, /) -> bool:
            done.append(row)
            if row == 2:
                raise ConnectionError("no Temporal")
            return True

    tasks: list[SweepTask[int]] = [Noting(), Broken(), Noting()]
    body = sweeping(harness, client, tasks=tasks).sweep
    swept = await ActivityEnvironment().run(body)
    assert swept == SweepResult(started=4, applied=0, next_in=EVERY)
    assert sorted(done) == [1, 1, 2, 2, 3, 3]


async def test_a_chore_that_has_more_to_do_than_a_turn_holds_goes_on_at_once(
    harness: Harness, client: Client
) -> None:
    class Endless:
        async def take(self, now: datetime, most: int) -> list[int]:
            return [0] * most

        async def resume(self, row: int, /) -> bool:
            return False

    swept = await ActivityEnvironment().run(sweeping(harness, client, tasks=[Endless()]).sweep)
    assert (swept.started, swept.next_in < SECOND) == (0, True)
