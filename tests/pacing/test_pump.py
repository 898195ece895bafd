"""The pump's own story, and that of a message that waits in line, with faked steps."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from models.enums import Channel, MessageStatus
from tests.fakes import ACCEPTED_AND_REPORTED, CANCELED, DELIVERED, OVER, fake
from tests.workflows.conftest import harness, skipping
from tests.workflows.harness import Harness, Staging
from workflows import steps
from workflows.messages.types import (
    DispatchResult,
    Verdict,
)
from workflows.messages.workflow import SendMessage
from workflows.senders.types import SenderQueueResult, SenderQueueStep
from workflows.senders.workflow import TURNS, SenderQueue

__all__ = ["harness", "skipping"]

LINE = SenderQueueStep(tenant_id=3, sender_id=9, sender_public_id=90, channel=Channel.SMS)
BUSY = SenderQueueResult(granted=9, next_in=timedelta(seconds=0.3))
NOBODY = SenderQueueResult(granted=0, next_in=None)


def standing() -> DispatchResult:
    """Tell a message that it is queued for its sender for an hour at most."""
    return DispatchResult(verdict=Verdict.LINE, until=datetime.now(UTC) + timedelta(hours=1))


async def pump(
    environment: WorkflowEnvironment, harness: Harness, *, message_queued: bool = False
) -> WorkflowHandle[SenderQueue, None]:
    """Run a pump to its end."""
    handle = await environment.client.start_workflow(
        SenderQueue.run,
        LINE,
        id=f"sender-queue-{uuid4()}",
        task_queue=harness.queue,
        start_signal="joined" if message_queued else None,
    )
    async with asyncio.timeout(30):
        await handle.result()
    return handle


async def test_it_ends_when_nobody_is_left(harness: Staging, skipping: WorkflowEnvironment) -> None:
    grant_sender_slots, turns = fake(steps.grant_sender_slots, BUSY, BUSY, NOBODY)
    async with harness(grant_sender_slots) as pumping:
        await pump(skipping, pumping)
    assert turns == [LINE] * 3


async def test_who_joins_while_it_finds_nobody_is_not_left_alone(
    harness: Staging, skipping: WorkflowEnvironment
) -> None:
    async def somebody_joins(_: SenderQueueStep) -> SenderQueueResult:
        if len(turns) == 1:
            await skipping.client.get_workflow_handle(sender_queue_id).signal(
                SenderQueue.message_queued
            )
        return NOBODY

    grant_sender_slots, turns = fake(steps.grant_sender_slots, somebody_joins, repeat_last=True)
    async with harness(grant_sender_slots) as pumping:
        sender_queue_id = f"sender-queue-{uuid4()}"
        handle = await skipping.client.start_workflow(
            SenderQueue.run, LINE, id=sender_queue_id, task_queue=pumping.queue
        )
        await handle.result()
    assert len(turns) >= 2


async def test_it_begins_a_new_run_before_its_history_grows_long(
    harness: Staging, skipping: WorkflowEnvironment
) -> None:
    grant_sender_slots, turns = fake(steps.grant_sender_slots, *[BUSY] * TURNS, NOBODY)
    async with harness(grant_sender_slots) as pumping:
        handle = await pump(skipping, pumping)
        first = skipping.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        history = (await first.fetch_history()).events
    assert turns == [LINE] * (TURNS + 1)
    assert history[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    assert len(history) < 10_000


async def test_a_message_in_line_goes_when_it_is_woken(harness: Staging) -> None:
    dispatch, handed = fake(steps.dispatch, standing(), ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        handle = await send.start()
        await send.until_it_waits()
        await send.send.signal(SendMessage.row_changed)
        assert await send.end_of(handle) is MessageStatus.DELIVERED
        assert await send.took() < timedelta(minutes=1)
    assert len(handed) == 2


async def test_a_message_whose_signal_was_lost_asks_again(harness: Staging) -> None:
    dispatch, handed = fake(steps.dispatch, standing(), standing(), OVER)
    settle, _ = fake(steps.settle, CANCELED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.CANCELED
    assert len(handed) == 3
