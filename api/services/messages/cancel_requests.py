"""Cancels under an Idempotency-Key: a key is bound to one message."""

from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, forget_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.schemas.messages import MessageView
from api.services.messages.cancel import Canceling
from api.services.messages.read import read_message_id
from models.errors import MessageNotFound, NotCancelable
from models.session import Database


class _Bound(BaseModel):
    """What is stored for a key."""

    message_id: str


class CancelRequests:
    """Executes cancel requests.

    Canceling is idempotent, so a repeated request is executed again and returns the current state.
    The key only must not be used for another message: it is bound to the first one before the
    cancel, and released if that is refused.
    """

    def __init__(
        self, database: Database, canceling: Canceling, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._canceling = canceling
        self._clock = clock

    async def cancel(
        self, caller: Caller, message_id: str, request: IdempotentRequest
    ) -> Outcome[MessageView]:
        """Cancel a message; raises MessageNotFound, NotCancelable, IdempotencyKeyReused."""
        read_message_id(message_id)
        known = await self._bind(caller, message_id, request)
        try:
            view = await self._canceling.cancel(caller, message_id)
        except (MessageNotFound, NotCancelable):
            await self._release(caller, request)
            raise
        return Replayed(view) if known else Accepted(view)

    async def _bind(self, caller: Caller, message_id: str, request: IdempotentRequest) -> bool:
        """Bind the key to the message; return whether it was bound to it before."""
        async with self._database.transaction(caller.lock_scope(work=request.route)) as db:
            if await find_answer(db, caller, request) is not None:
                return True
            await store_answer(db, caller, request, _Bound(message_id=message_id), self._clock())
            return False

    async def _release(self, caller: Caller, request: IdempotentRequest) -> None:
        if request.key is None:
            return
        async with self._database.transaction(caller.lock_scope(work=request.route)) as db:
            await forget_answer(db, caller, request)
