"""The slot of a rate-limited sender: reserved in the claim, waited for before the call."""

import asyncio
import time
from datetime import UTC, datetime

from temporalio import activity

from activities.messages.claimed import Claimed, Queued
from models.queries.messages.dispatch import Dispatchable
from models.queries.senders import sender_queue
from models.queries.senders.sender_queue import Slot
from models.rules.senders import pacing
from models.rules.senders.pacing import SlotAction
from models.session import Database, WriteSession
from workflows.messages.types import DispatchResult, DispatchStep, Verdict
from workflows.names import priority_of
from workflows.senders.start import start_sender_queue
from workflows.senders.types import SenderQueueStep


async def reserve_slot(
    db: WriteSession, step: DispatchStep, found: Dispatchable
) -> Slot | Queued | DispatchResult | None:
    """Return the reserved slot of the sender, or why the message is not sent yet."""
    if found.pace is None:
        return None
    reservation = await sender_queue.reserve_slot(
        db,
        found.pace,
        message_id=step.message_id,
        merchant_id=found.merchant_id,
        type=found.type,
        priority=priority_of(found.type),
    )
    if reservation.slot is None:
        expires_at = found.candidate.expires_at
        until = pacing.recheck_at(reservation.queued_at, reservation.now, expires_at)
        return Queued(
            result=DispatchResult(verdict=Verdict.QUEUED_FOR_SENDER, until=until),
            queue=found.pace.queue,
            first=reservation.first,
        )
    if reservation.action is SlotAction.RETURN:
        until = datetime.now(UTC) + reservation.slot.wait - pacing.RETURN_LEAD
        return DispatchResult(verdict=Verdict.LATER, until=until)
    return reservation.slot


async def ensure_granting(entry: Queued) -> DispatchResult:
    """Start the queue's workflow unless it is running. On failure the activity is retried."""
    queue = entry.queue
    await start_sender_queue(
        activity.client(),
        SenderQueueStep(
            tenant_id=queue.tenant_id,
            sender_id=queue.sender_id,
            sender_public_id=queue.sender_public_id,
            channel=queue.channel,
        ),
        message_queued=entry.first,
    )
    return entry.result


async def wait_for_slot(database: Database, claimed: Claimed, slot: Slot) -> bool:
    """Wait for the slot, replacing a missed one; False if the next one is too far ahead."""
    assert claimed.found.pace is not None
    while True:
        await asyncio.sleep(slot.wait.total_seconds())
        if time.monotonic() <= slot.closes:
            return True
        async with database.transaction() as db:
            slot = await sender_queue.reserve_next_slot(db, claimed.found.pace)
        if slot.wait > min(pacing.LATE_INLINE_WAIT, claimed.deadline - datetime.now(UTC)):
            return False
