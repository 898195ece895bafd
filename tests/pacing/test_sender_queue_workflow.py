"""The workflow of a sender queue, and a message that waits in it, with fake activities."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from models.enums import Channel, MessageStatus
from tests.fakes import ACCEPTED_AND_REPORTED, CANCELED, DELIVERED, OVER, fake
from tests.workflows.conftest import harness, skipping
from tests.workflows.harness import Harness, HarnessFactory
from workflows import steps
from workflows.messages.types import (
    DispatchResult,
    Verdict,
)
from workflows.messages.workflow import SendMessage
from workflows.senders.types import SenderQueueResult, SenderQueueStep
from workflows.senders.workflow import TURNS, SenderQueue

__all__ = ["harness", "skipping"]

QUEUE = SenderQueueStep(tenant_id=3, sender_id=9, sender_public_id=90, channel=Channel.SMS)
BUSY = SenderQueueResult(granted=9, next_in=timedelta(seconds=0.3))
EMPTY = SenderQueueResult(granted=0, next_in=None)


def queued_verdict() -> DispatchResult:
    """Return the result of a message that is queued for its sender for an hour at most."""
    return DispatchResult(
        verdict=Verdict.QUEUED_FOR_SENDER, until=datetime.now(UTC) + timedelta(hours=1)
    )


async def run_queue(
    environment: WorkflowEnvironment, harness: Harness, *, message_queued: bool = False
) -> WorkflowHandle[SenderQueue, None]:
    """Run the workflow of a queue to its end."""
    handle = await environment.client.start_workflow(
        SenderQueue.run,
        QUEUE,
        id=f"sender-queue-{uuid4()}",
        task_queue=harness.queue,
        start_signal=SenderQueue.message_queued.__name__ if message_queued else None,
    )
    async with asyncio.timeout(30):
        await handle.result()
    return handle


async def test_it_ends_when_the_queue_is_empty(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    grant_sender_slots, turns = fake(steps.grant_sender_slots, BUSY, BUSY, EMPTY)
    async with harness(grant_sender_slots) as queue_harness:
        await run_queue(skipping, queue_harness)
    assert turns == [QUEUE] * 3


async def test_a_message_queued_while_it_ends_keeps_it_running(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    async def message_joins(_: SenderQueueStep) -> SenderQueueResult:
        if len(turns) == 1:
            await skipping.client.get_workflow_handle(sender_queue_id).signal(
                SenderQueue.message_queued
            )
        return EMPTY

    grant_sender_slots, turns = fake(steps.grant_sender_slots, message_joins, repeat_last=True)
    async with harness(grant_sender_slots) as queue_harness:
        sender_queue_id = f"sender-queue-{uuid4()}"
        handle = await skipping.client.start_workflow(
            SenderQueue.run, QUEUE, id=sender_queue_id, task_queue=queue_harness.queue
        )
        await handle.result()
    assert len(turns) >= 2


async def test_it_begins_a_new_run_before_its_history_grows_long(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    grant_sender_slots, turns = fake(steps.grant_sender_slots, *[BUSY] * TURNS, EMPTY)
    async with harness(grant_sender_slots) as queue_harness:
        handle = await run_queue(skipping, queue_harness)
        first = skipping.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        history = (await first.fetch_history()).events
    assert turns == [QUEUE] * (TURNS + 1)
    assert history[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    assert len(history) < 10_000


async def test_a_queued_message_is_dispatched_when_it_is_signaled(harness: HarnessFactory) -> None:
    dispatch, handed = fake(steps.dispatch, queued_verdict(), ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        handle = await send.start()
        await send.until_it_waits()
        await send.send.signal(SendMessage.row_changed)
        assert await send.end_of(handle) is MessageStatus.DELIVERED
        assert await send.took() < timedelta(minutes=1)
    assert len(handed) == 2


async def test_a_message_whose_signal_was_lost_asks_again(harness: HarnessFactory) -> None:
    dispatch, handed = fake(steps.dispatch, queued_verdict(), queued_verdict(), OVER)
    settle, _ = fake(steps.settle, CANCELED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.CANCELED
    assert len(handed) == 3
