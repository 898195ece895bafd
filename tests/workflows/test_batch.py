"""The workflow of a batch accepts lines until none is left, and cancels what waits."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from tests.fakes import Activity, fake
from tests.workflows.harness import WAITS, Harness, HarnessFactory, until
from workflows import steps
from workflows.messages.batches.batch_workflow import SendBatch
from workflows.messages.batches.types import (
    AcceptLinesResult,
    AcceptLinesStep,
    BatchInput,
    CancelMembersResult,
    CancelMembersStep,
)

INPUT = BatchInput(tenant_id=3, batch_id=7, public_id=70, merchant_id=5, waits=WAITS)
STEP = AcceptLinesStep(tenant_id=3, batch_id=7, public_id=70, waits=WAITS)
MORE = AcceptLinesResult(accepted=500)
FULL = AcceptLinesResult(wait=timedelta(seconds=10))
DONE = AcceptLinesResult(accepted=3, decided=True)
CANCELED = AcceptLinesResult(refused=3, decided=True, canceled=True)
NOBODY = CancelMembersResult(canceled=0, more=False)


async def play(harness: Harness) -> WorkflowHandle[SendBatch, None]:
    """Run a batch to its end."""
    handle = await start(harness)
    async with asyncio.timeout(60):
        await handle.result()
    return handle


async def start(harness: Harness) -> WorkflowHandle[SendBatch, None]:
    """Start a batch."""
    handle: WorkflowHandle[SendBatch, None] = await harness.client.start_workflow(
        SendBatch.run, INPUT, id=f"{harness.queue}-batch", task_queue=harness.queue
    )
    return handle


def no_cancel() -> Activity:
    """A step that must not be called."""
    return fake(steps.cancel_members)[0]


@pytest.mark.parametrize("cached", [100, 0], ids=["cached", "replayed"])
async def test_it_accepts_until_no_line_is_left(harness: HarnessFactory, cached: int) -> None:
    accept, asked = fake(steps.accept_lines, MORE, MORE, DONE)
    async with harness(accept, no_cancel(), cached=cached) as running:
        await play(running)
    assert asked == [STEP] * 3


async def test_it_waits_while_no_line_may_be_accepted(harness: HarnessFactory) -> None:
    accept, asked = fake(steps.accept_lines, FULL, FULL, DONE)
    async with harness(accept, no_cancel()) as running:
        handle = await play(running)
        events = (await handle.fetch_history()).events
    timers = [e for e in events if e.event_type == EventType.EVENT_TYPE_TIMER_STARTED]
    assert [
        t.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() for t in timers
    ] == [timedelta(seconds=10)] * 2
    assert len(asked) == 3


async def test_a_step_that_fails_is_tried_again(harness: HarnessFactory) -> None:
    accept, asked = fake(steps.accept_lines, ConnectionError("away"), MORE, DONE)
    async with harness(accept, no_cancel()) as running:
        await play(running)
    assert len(asked) == 3


@pytest.mark.parametrize("cached", [100, 0], ids=["cached", "replayed"])
async def test_the_messages_of_a_canceled_batch_are_canceled_page_by_page(
    harness: HarnessFactory, cached: int
) -> None:
    accept, _ = fake(steps.accept_lines, MORE, CANCELED)
    cancel, asked = fake(
        steps.cancel_members,
        CancelMembersResult(canceled=200, more=True),
        CancelMembersResult(canceled=150, more=True),
        NOBODY,
    )
    async with harness(accept, cancel, cached=cached) as running:
        await play(running)
    step = CancelMembersStep(tenant_id=3, batch_id=7, public_id=70, merchant_id=5)
    assert asked == [step] * 3


async def test_a_cancellation_while_the_last_lines_are_accepted_is_not_lost(
    harness: HarnessFactory,
) -> None:
    running: Harness

    async def last(step: AcceptLinesStep) -> AcceptLinesResult:
        handle = running.client.get_workflow_handle(f"{running.queue}-batch")
        await handle.signal(SendBatch.batch_canceled)
        return DONE

    accept, asked = fake(steps.accept_lines, last, CANCELED)
    cancel, canceled = fake(steps.cancel_members, NOBODY)
    async with harness(accept, cancel) as running:
        await play(running)
    assert (len(asked), len(canceled)) == (2, 1)


async def test_a_cancellation_ends_the_wait(harness: HarnessFactory) -> None:
    long = AcceptLinesResult(wait=timedelta(days=30))
    accept, asked = fake(steps.accept_lines, long, CANCELED)
    cancel, _ = fake(steps.cancel_members, NOBODY)

    async def is_asked() -> bool:
        return len(asked) > 0

    async with harness(accept, cancel) as running:
        handle = await start(running)
        await until(is_asked)
        await handle.signal(SendBatch.batch_canceled)
        async with asyncio.timeout(60):
            await handle.result()
        events = (await handle.fetch_history()).events
    took = events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()
    assert took < timedelta(days=1)
