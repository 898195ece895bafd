"""The sweeper runs for ever, in workflow runs of bounded length."""

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
from workflows.system.sweeper import Sweeper
from workflows.system.sweeper_types import SweepResult
from workflows.system.turns import TURNS

_ENOUGH = ApplicationError("enough", non_retryable=True)


async def test_it_sweeps_again_when_the_last_sweep_said(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    gaps = [timedelta(minutes=5), timedelta(milliseconds=100), timedelta(minutes=1)]
    sweep, swept = fake(
        steps.sweep, *[SweepResult(started=1, applied=0, next_in=gap) for gap in gaps], _ENOUGH
    )
    async with harness(sweep) as sweeping:
        history = await _sweep(skipping, sweeping.queue)
    timers = [e for e in history if e.event_type == EventType.EVENT_TYPE_TIMER_STARTED]
    assert len(swept) == 4
    assert [
        t.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() for t in timers
    ] == gaps


async def test_a_sweep_that_raises_is_tried_again(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    sweep, swept = fake(steps.sweep, ConnectionError("no database"), _ENOUGH)
    async with harness(sweep) as sweeping:
        await _sweep(skipping, sweeping.queue)
    assert len(swept) == 2


async def test_it_begins_a_new_run_before_its_history_grows_long(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    turn = SweepResult(started=0, applied=0, next_in=timedelta(seconds=2))
    sweep, swept = fake(steps.sweep, *[turn] * TURNS, _ENOUGH)
    async with harness(sweep) as sweeping:
        first_run = await _sweep(skipping, sweeping.queue)
    assert len(swept) == TURNS + 1
    last = first_run[-1]
    assert last.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    assert len(first_run) < 10_000


async def _sweep(skipping: WorkflowEnvironment, queue: str) -> list[HistoryEvent]:
    """Sweep until the fake has enough calls, and return the history of the first run."""
    handle = await skipping.client.start_workflow(
        Sweeper.run, id=f"sweeper-{uuid4()}", task_queue=queue
    )
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 30)
    first = skipping.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    return list((await first.fetch_history()).events)
