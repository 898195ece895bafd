"""Cancels a message that still waits, in one transaction under the lock of its row."""

from collections.abc import Callable
from datetime import datetime

from api.http.auth import Caller
from api.schemas.messages import MessageView
from api.services.messages.read import Messages, read_message_id
from api.workflow_starters import WorkflowStarter
from models.enums import MessageStatus
from models.errors import MessageNotFound, NotCancelable
from models.queries.messages import settlement, settlement_facts
from models.queries.messages.read import find_message
from models.session import Database
from models.tables.base import row_id
from workflows.messages.start import SendSignal


class Canceling:
    """Cancels messages that are not being sent."""

    def __init__(
        self,
        database: Database,
        starter: WorkflowStarter,
        messages: Messages,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._starter = starter
        self._messages = messages
        self._clock = clock

    async def cancel(self, caller: Caller, message_id: str) -> MessageView:
        """Cancel a message and return it; a message that was canceled before is returned unchanged.

        Raises:
            MessageNotFound, NotCancelable.
        """
        named = read_message_id(message_id)
        async with self._database.transaction(caller.lock_scope()) as db:
            found = await find_message(db, caller, named)
            if found is None:
                raise MessageNotFound
            message, _ = found
            locked = await settlement_facts.lock_for_settlement(
                db, tenant_id=caller.tenant_id, message_id=row_id(message.id)
            )
            if locked is None:
                raise MessageNotFound
            canceled = await settlement.cancel_message(db, locked, self._clock())
            if not canceled and locked.facts.status is not MessageStatus.CANCELED:
                raise NotCancelable
        if canceled:
            identity = message.identity(caller.tenant_public_id)
            await self._starter.wake(identity.workflow_id, SendSignal.ROW_CHANGED)
        return await self._messages.get(caller, message_id)
