"""Each turn of the watcher continues where the last one ended, in runs of bounded length."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from tests.fakes import fake
from tests.workflows.harness import HarnessFactory
from workflows import steps
from workflows.system.turns import TURNS
from workflows.system.watcher import Watcher
from workflows.system.watcher_types import WatchResult, WatchStep

_ENOUGH = ApplicationError("enough", non_retryable=True)
FIRST, SECOND = WatchStep(), WatchStep(after_tenant=3, after_merchant=7)


async def test_each_turn_goes_on_where_the_last_one_ended(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    turns = [
        WatchResult(moved=1, following=SECOND, next_in=timedelta(minutes=1)),
        WatchResult(moved=0, following=FIRST, next_in=timedelta(seconds=2)),
    ]
    watch, watched = fake(steps.watch, *turns, ConnectionError("no database"), _ENOUGH)
    async with harness(watch) as watching:
        history = await _watch(skipping, watching.queue)
    assert watched == [FIRST, SECOND, FIRST, FIRST]
    timers = [e for e in history if e.event_type == EventType.EVENT_TYPE_TIMER_STARTED]
    assert [
        t.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() for t in timers
    ] == [turn.next_in for turn in turns]


async def test_a_new_run_goes_on_where_the_last_one_ended(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    turn = WatchResult(moved=0, following=SECOND, next_in=timedelta(seconds=2))
    watch, watched = fake(steps.watch, *[turn] * TURNS, _ENOUGH)
    async with harness(watch) as watching:
        first_run = await _watch(skipping, watching.queue)
    assert watched == [FIRST, *[SECOND] * TURNS]
    last = first_run[-1]
    assert last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    assert len(first_run) < 10_000


async def _watch(skipping: WorkflowEnvironment, queue: str) -> list[HistoryEvent]:
    """Watch until the fake has enough calls, and return the history of the first run."""
    handle = await skipping.client.start_workflow(
        Watcher.run, FIRST, id=f"watcher-{uuid4()}", task_queue=queue
    )
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 30)
    first = skipping.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    return list((await first.fetch_history()).events)
