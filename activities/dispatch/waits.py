"""Writing down what a message that was not claimed waits for, so that nobody takes it for late."""

from datetime import UTC, datetime, timedelta
from typing import Final

from models.queries import waiting
from models.session import WriteSession
from workflows.types import DispatchResult, DispatchStep, Verdict

_BUSY_AT_MOST: Final = timedelta(hours=1)
"""After so long in the queue of a busy provider a message is late like any other."""


async def note_wait(
    db: WriteSession, step: DispatchStep, result: DispatchResult, grace: timedelta
) -> None:
    """Note until when a message waits; its lock is held.

    In the queue of a busy provider it waits for that provider alone: the load of all others is
    none of its business. What is about to end, or is under way, waits for nothing.
    """
    now = datetime.now(UTC)
    ready_at, looked_at = result.until, result.until
    if result.verdict is Verdict.BUSY:
        ready_at, looked_at = now + _BUSY_AT_MOST, now
    if ready_at is None or looked_at is None:
        return
    await waiting.wait(
        db,
        tenant_id=step.tenant_id,
        message_id=step.message_id,
        ready_at=ready_at,
        sweep_at=looked_at + grace,
    )
