"""The workflow of a chunk: when it dispatches, settles and lets the rest go."""

from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.testing import WorkflowEnvironment

from tests.fakes import Activity, fake
from tests.workflows.harness import WAITS, Harness, HarnessFactory
from workflows import steps
from workflows.messages.batches.chunk_types import (
    ChunkInput,
    ChunkResult,
    ChunkStep,
    SettleChunkStep,
)
from workflows.messages.batches.chunk_workflow import SendChunk

STEP = ChunkStep(tenant_id=3, chunk_id=7, merchant_id=5, report_wait=WAITS.report_wait)
SETTLE = SettleChunkStep(tenant_id=3, chunk_id=7, merchant_id=5)
LEAVE = SettleChunkStep(tenant_id=3, chunk_id=7, merchant_id=5, leave=True)
DONE = ChunkResult(unsent=0, awaited=0, settleable=0)
AWAITED = ChunkResult(unsent=0, awaited=4, settleable=0, accepted={"simulator": 4})
REPORTED = ChunkResult(unsent=0, awaited=4, settleable=4, accepted={"simulator": 4})
HALF = ChunkResult(unsent=50, awaited=50, settleable=0, accepted={"simulator": 50})
BUSY = ChunkResult(unsent=50, awaited=0, settleable=0)


async def play(
    running: Harness, skipping: WorkflowEnvironment, *, due_in: timedelta = timedelta(0)
) -> list[HistoryEvent]:
    """Run a chunk to its end, skipping all waits; return its history."""
    due_at = await skipping.get_current_time() + due_in
    handle = await skipping.client.start_workflow(
        SendChunk.run,
        ChunkInput(tenant_id=3, chunk_id=7, merchant_id=5, due_at=due_at, waits=WAITS),
        id=f"chunk-{uuid4()}",
        task_queue=running.queue,
    )
    await handle.result()
    return list((await handle.fetch_history()).events)


def timers(history: list[HistoryEvent]) -> list[timedelta]:
    """Return the waits of a history."""
    return [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for event in history
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
    ]


async def test_a_chunk_whose_members_all_left_is_done(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    dispatch, dispatched = fake(steps.dispatch_chunk, DONE)
    async with harness(dispatch) as running:
        assert timers(await play(running, skipping)) == []
    assert dispatched == [STEP]


async def test_reported_members_are_settled_at_once(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    dispatch, _ = fake(steps.dispatch_chunk, REPORTED)
    settle, settled = fake(steps.settle_chunk, DONE)
    async with harness(dispatch, settle) as running:
        assert timers(await play(running, skipping)) == []
    assert settled == [SETTLE]


async def test_a_chunk_for_a_later_day_waits_for_that_day(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    dispatch, _ = fake(steps.dispatch_chunk, DONE)
    async with harness(dispatch) as running:
        [wait] = timers(await play(running, skipping, due_in=timedelta(days=30)))
    assert timedelta(days=29, hours=23) < wait <= timedelta(days=30)


async def test_members_are_settled_between_two_dispatches(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    dispatch, dispatched = fake(steps.dispatch_chunk, HALF, DONE)
    settle, settled = fake(steps.settle_chunk, HALF)
    async with harness(dispatch, settle) as running:
        assert timers(await play(running, skipping)) == []
    assert (dispatched, settled) == ([STEP, STEP], [SETTLE])


async def test_a_busy_provider_is_waited_for(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    dispatch, dispatched = fake(steps.dispatch_chunk, BUSY, BUSY, DONE)
    async with harness(dispatch) as running:
        waits = timers(await play(running, skipping))
    assert len(dispatched) == 3
    assert waits == [timedelta(milliseconds=500)] * 2


async def test_reports_are_looked_for_with_growing_waits_until_the_first_poll(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    dispatch, _ = fake(steps.dispatch_chunk, AWAITED)

    def still(step: SettleChunkStep) -> ChunkResult:
        return DONE if step.leave else AWAITED

    settle, settled = fake(steps.settle_chunk, still, repeat_last=True)
    async with harness(dispatch, settle) as running:
        waits = timers(await play(running, skipping))
    assert waits[:4] == [timedelta(milliseconds=500)] * 4
    assert waits[:-1] == sorted(waits[:-1])
    assert len(waits) < 40
    total = sum(waits, timedelta(0))
    assert abs(total - WAITS.report_wait) < timedelta(seconds=5)
    assert settled == [SETTLE] * (len(waits) - 1) + [LEAVE]


async def test_a_chunk_is_done_when_its_last_report_is_settled(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    dispatch, _ = fake(steps.dispatch_chunk, AWAITED)
    settle, settled = fake(steps.settle_chunk, AWAITED, REPORTED, DONE)
    async with harness(dispatch, settle) as running:
        assert len(timers(await play(running, skipping))) == 3
    assert settled == [SETTLE] * 3


@pytest.mark.parametrize("cached", [0, 100])
async def test_steps_that_fail_are_tried_again(
    harness: HarnessFactory, skipping: WorkflowEnvironment, cached: int
) -> None:
    away = ConnectionError("no database")
    dispatch, dispatched = fake(steps.dispatch_chunk, away, away, AWAITED)
    settle, settled = fake(steps.settle_chunk, away, DONE)
    fakes: tuple[Activity, ...] = (dispatch, settle)
    async with harness(*fakes, cached=cached) as running:
        await play(running, skipping)
    assert (len(dispatched), len(settled)) == (3, 2)
