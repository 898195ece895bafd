"""Takes members out of their chunk: each goes on as a workflow of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from models.database.transaction_limits import LockScope
from models.queries.messages.batches import chunk_members
from models.rules.messages.identity import SendStart
from models.session import Database
from workflows.messages.batches.chunk_types import ChunkStep, SettleChunkStep

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """A member that has left its chunk."""

    send: SendStart
    delay: timedelta | None
    """The first task of its workflow waits for this time."""
    poll_is_due: bool
    """Its report was awaited for long enough: its workflow polls at once."""


StartSend: TypeAlias = Callable[[Leaver], Awaitable[object]]
"""Starts the workflow of a member that has left."""

_STARTS_AT_ONCE: Final = 10

_START_PATIENCE: Final = 3.0
"""Timeout of one start in seconds; then the sweeper starts the rest."""


class Leaving:
    """Clears `chunk_id` and starts the workflows; what is not started, the sweeper starts."""

    def __init__(self, database: Database, start: StartSend) -> None:
        self._database = database
        self._start = start

    async def leave(
        self,
        step: ChunkStep | SettleChunkStep,
        message_ids: Collection[int],
        not_before: Mapping[int, datetime] | None = None,
        *,
        poll_is_due: bool = False,
    ) -> int:
        """Take members out of the chunk; return how many left.

        Members that have left or are completed are ignored. `not_before` is when the workflow of a
        member may go on, by row id.
        """
        if not message_ids:
            return 0
        lock_scope = LockScope(step.tenant_id, step.merchant_id or None, "leave")
        async with self._database.transaction(lock_scope) as db:
            sends = await chunk_members.leave(
                db,
                tenant_id=step.tenant_id,
                chunk_id=step.chunk_id,
                message_ids=sorted(message_ids),
                now=datetime.now(UTC),
            )
        now, delayed = datetime.now(UTC), not_before or {}
        await self._start_all(
            [
                Leaver(
                    send=send,
                    delay=_until(delayed.get(send.message_id), now),
                    poll_is_due=poll_is_due,
                )
                for send in sends
            ]
        )
        return len(sends)

    async def _start_all(self, leavers: Sequence[Leaver]) -> None:
        """Start the workflows in order, a few at a time; a failure ends this."""
        coming = iter(leavers)

        async def start_remaining() -> None:
            for leaver in coming:
                await asyncio.wait_for(self._start(leaver), _START_PATIENCE)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_STARTS_AT_ONCE, len(leavers))):
                    group.create_task(start_remaining())
        except* Exception as errors:
            log.warning(
                "workflows of messages that left their chunk could not be started; the sweeper"
                " starts them",
                extra={"reason": type(errors.exceptions[0]).__name__},
            )


def _until(at: datetime | None, now: datetime) -> timedelta | None:
    """Return the wait until a time; None if it has come."""
    return None if at is None or at <= now else at - now
