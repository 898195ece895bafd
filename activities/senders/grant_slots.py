"""Grants slots of a rate-limited sender to the next queued messages and signals them."""

import asyncio
from collections.abc import Sequence

from temporalio import activity
from temporalio.client import Client

from models.database.transaction_limits import LockScope
from models.queries.senders import sender_queue
from models.queries.senders.sender_queue import SenderQueueKey
from models.rules.messages.identity import MessageIdentity
from models.session import Database
from workflows.messages.start import SendSignal, wake_send
from workflows.senders.types import SenderQueueResult, SenderQueueStep


class SenderSlots:
    """Reserves slots for queued messages, as a dispatch does for messages that need not wait."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    @activity.defn(name="grant_sender_slots")
    async def grant_sender_slots(self, step: SenderQueueStep) -> SenderQueueResult:
        """Grant the slots of one turn. A second run grants further slots, within the limit.

        If the worker crashes before it signals, the slot is granted again after a while.
        """
        queue = SenderQueueKey(
            tenant_id=step.tenant_id,
            sender_id=step.sender_id,
            sender_public_id=step.sender_public_id,
            channel=step.channel,
        )
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            granted, next_in = await sender_queue.grant_slots(db, queue)
        await self._wake(granted)
        return SenderQueueResult(granted=len(granted), next_in=next_in)

    async def _wake(self, granted: Sequence[MessageIdentity]) -> None:
        """Signal the workflows of the messages; the sweeper starts those that are not running."""
        await asyncio.gather(
            *(
                wake_send(self._client, message.workflow_id, SendSignal.ROW_CHANGED)
                for message in granted
            )
        )
