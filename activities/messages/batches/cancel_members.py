"""The step that cancels the waiting messages of a canceled batch."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from models.database.transaction_limits import LockScope
from models.queries.messages.batches import cancellation, waiting_members
from models.queries.messages.batches.waiting_members import WaitingMember
from models.session import Database
from workflows.heartbeat import heartbeats
from workflows.messages.batches.types import CancelMembersResult, CancelMembersStep
from workflows.messages.start import SendSignal, wake_send

log = logging.getLogger(__name__)

_PAGE: Final = 50
"""Messages of one transaction: their facts are read within one callback of the event loop."""

_PAGES: Final = 10
"""Pages of one run; more runs follow."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class CancelingMembers:
    """Cancels the messages of a batch that are not being sent."""

    def __init__(
        self, database: Database, client: Client, clock: Callable[[], datetime] = _utc_now
    ) -> None:
        self._database = database
        self._client = client
        self._clock = clock

    @activity.defn(name="cancel_members")
    async def cancel_members(self, step: CancelMembersStep) -> CancelMembersResult:
        """Cancel waiting messages by ascending id, up to a few pages of them.

        Idempotent: a message that does not wait any more is left as it is.
        """
        canceled = last = 0
        async with heartbeats():
            for _ in range(_PAGES):
                members = await self._list(step, after=last)
                if not members:
                    await self._note(step)
                    return CancelMembersResult(canceled=canceled, more=False)
                canceled += await self._cancel(step, members)
                last = members[-1].identity.message_id
        return CancelMembersResult(canceled=canceled, more=True)

    async def _list(self, step: CancelMembersStep, *, after: int) -> Sequence[WaitingMember]:
        async with self._database.read() as db:
            return await waiting_members.list_waiting(
                db, tenant_id=step.tenant_id, batch_id=step.batch_id, after=after, most=_PAGE
            )

    async def _cancel(self, step: CancelMembersStep, members: Sequence[WaitingMember]) -> int:
        """Cancel messages; return how many still waited."""
        lock_scope = LockScope(step.tenant_id, step.merchant_id, "cancel")
        waiting = [member.identity.message_id for member in members]
        canceled: set[int] = set()
        while waiting:
            async with self._database.transaction(lock_scope) as db:
                ended, looked_at = await cancellation.cancel_some(
                    db, tenant_id=step.tenant_id, message_ids=waiting, now=self._clock()
                )
            canceled |= ended
            waiting = [message_id for message_id in waiting if message_id not in looked_at]
        await self._wake(members, canceled)
        return len(canceled)

    async def _wake(self, members: Sequence[WaitingMember], canceled: Collection[int]) -> None:
        """Let the workflows of canceled messages end now, and not when they would be due.

        A chunk finds its members ended when it dispatches.
        """
        workflows = [
            member.identity.workflow_id
            for member in members
            if not member.in_chunk and member.identity.message_id in canceled
        ]
        await asyncio.gather(*map(self._signal, workflows))

    async def _signal(self, workflow_id: str) -> None:
        try:
            await wake_send(self._client, workflow_id, SendSignal.ROW_CHANGED)
        except RPCError as error:
            log.warning(
                "the workflow of a canceled message was not signaled",
                extra={"reason": error.status.name},
            )

    async def _note(self, step: CancelMembersStep) -> None:
        """Note that no message of the batch waits any more."""
        async with self._database.transaction() as db:
            await waiting_members.note_canceled(
                db, tenant_id=step.tenant_id, batch_id=step.batch_id
            )
