"""The step that cancels the waiting messages of a canceled batch."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from models.database.transaction_limits import LockScope
from models.queries.messages import settlement, settlement_facts
from models.queries.messages.batches import waiting_members
from models.queries.messages.batches.waiting_members import WaitingMember
from models.session import Database
from workflows.heartbeat import heartbeats
from workflows.messages.batches.types import CancelMembersResult, CancelMembersStep
from workflows.messages.start import SendSignal, wake_send

log = logging.getLogger(__name__)

_PAGE: Final = 200


def _utc_now() -> datetime:
    return datetime.now(UTC)


class CancelingMembers:
    """Cancels the messages of a batch that are not being sent, each in a transaction of its own.

    A transaction for several would hold the merchant's funds while it waits for the next message's
    lock, against the order of locks.
    """

    def __init__(
        self, database: Database, client: Client, clock: Callable[[], datetime] = _utc_now
    ) -> None:
        self._database = database
        self._client = client
        self._clock = clock

    @activity.defn(name="cancel_members")
    async def cancel_members(self, step: CancelMembersStep) -> CancelMembersResult:
        """Cancel the next waiting messages, by ascending id. Idempotent: one that does not wait any
        more is left as it is.
        """
        async with heartbeats():
            async with self._database.read() as db:
                members = await waiting_members.list_waiting(
                    db,
                    tenant_id=step.tenant_id,
                    batch_id=step.batch_id,
                    after=step.after,
                    most=_PAGE,
                )
            canceled = 0
            for member in members:
                canceled += await self._cancel(step, member)
            if not members:
                async with self._database.transaction() as db:
                    await waiting_members.note_canceled(
                        db, tenant_id=step.tenant_id, batch_id=step.batch_id
                    )
        last = members[-1].identity.message_id if members else None
        return CancelMembersResult(canceled=canceled, last=last)

    async def _cancel(self, step: CancelMembersStep, member: WaitingMember) -> bool:
        """Cancel one message; False if it does not wait any more."""
        lock_scope = LockScope(step.tenant_id, step.merchant_id, "cancel")
        async with self._database.transaction(lock_scope) as db:
            locked = await settlement_facts.lock_for_settlement(
                db, tenant_id=step.tenant_id, message_id=member.identity.message_id
            )
            if locked is None:
                return False
            canceled = await settlement.cancel_message(db, locked, self._clock())
        if canceled and not member.in_chunk:
            await self._wake(member)
        return canceled

    async def _wake(self, member: WaitingMember) -> None:
        """Let a message's own workflow end; otherwise it ends when the message would be due."""
        try:
            await wake_send(self._client, member.identity.workflow_id, SendSignal.ROW_CHANGED)
        except RPCError as error:
            log.warning("a canceled message was not signaled", extra={"reason": error.status.name})
