"""The closing schedule is created once, by any worker, and persists."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import Client, ScheduleOverlapPolicy
from temporalio.worker import Worker

from tests.factories import unique
from tests.fakes import fake
from tests.workflows.harness import STRICT
from workflows import steps
from workflows.billing.close_days import CloseDays
from workflows.billing.close_days_schedule import ensure_close_days_schedule
from workflows.billing.close_days_types import CloseDaysResult, CloseDaysStep

HOUR = timedelta(hours=1)


@pytest.fixture
async def schedule(client: Client) -> AsyncIterator[str]:
    """The name of a schedule of this test, deleted afterwards."""
    name = unique("close-days")
    yield name
    await client.get_schedule_handle(name).delete()


async def test_many_workers_make_one_schedule_five_minutes_past_every_hour(
    client: Client, schedule: str
) -> None:
    await asyncio.gather(
        *(
            ensure_close_days_schedule(client, HOUR, schedule_id=schedule, adjust=True)
            for _ in range(4)
        )
    )
    there = (await client.get_schedule_handle(schedule).describe()).schedule
    (interval,) = there.spec.intervals
    assert (interval.every, interval.offset) == (HOUR, timedelta(minutes=5))
    assert there.policy.overlap is ScheduleOverlapPolicy.SKIP


async def test_a_worker_sets_the_interval_when_it_starts_and_not_later(
    client: Client, schedule: str
) -> None:
    await ensure_close_days_schedule(client, HOUR, schedule_id=schedule, adjust=True)
    handle = client.get_schedule_handle(schedule)
    await handle.pause(note="an operator's word")
    minute = timedelta(minutes=1)
    for adjust, every in ((False, HOUR), (True, minute), (True, minute)):
        await ensure_close_days_schedule(client, minute, schedule_id=schedule, adjust=adjust)
        there = (await handle.describe()).schedule
        assert there.spec.intervals[0].every == every
        assert there.state.paused


async def test_a_lost_schedule_is_created_again(client: Client, schedule: str) -> None:
    await ensure_close_days_schedule(client, HOUR, schedule_id=schedule, adjust=True)
    await client.get_schedule_handle(schedule).delete()
    await ensure_close_days_schedule(client, HOUR, schedule_id=schedule, adjust=False)
    there = (await client.get_schedule_handle(schedule).describe()).schedule
    assert there.spec.intervals[0].every == HOUR


async def test_what_it_starts_gives_every_batch_its_turn(client: Client) -> None:
    close_days, asked = fake(
        steps.close_days,
        CloseDaysResult(closed=2, held=1, after=200),
        ConnectionError("no database"),
        CloseDaysResult(closed=3, failed=1),
    )
    queue = unique("closing")
    async with Worker(
        client,
        task_queue=queue,
        workflows=[CloseDays],
        activities=[close_days],
        workflow_runner=STRICT,
    ):
        totals = await client.execute_workflow(CloseDays.run, id=queue, task_queue=queue)
    assert totals == CloseDaysResult(closed=5, held=1, failed=1)
    assert asked == [CloseDaysStep(after=0), CloseDaysStep(after=200), CloseDaysStep(after=200)]
