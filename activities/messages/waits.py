"""Writing down what a message that was not claimed waits for, so that nobody takes it for late."""

from datetime import UTC, datetime, timedelta
from typing import Final

from models.queries.messages import waiting
from models.session import WriteSession
from workflows import policies
from workflows.messages.types import DispatchResult, DispatchStep, Verdict

_BUSY_AT_MOST: Final = timedelta(hours=1)
"""After so long in the queue of a busy provider a message is late like any other."""

_LOOK: Final = timedelta(minutes=10)
"""So often the sweeper looks after a message that waits for its turn."""


async def note_wait(
    db: WriteSession, step: DispatchStep, result: DispatchResult, grace: timedelta
) -> None:
    """Note until when a message that was not claimed waits; its lock is held.

    In the queue of a busy provider it waits for that provider alone: the load of all others is
    none of its business. What is about to end, or is under way, waits for no worker: if its end
    cannot be committed, it must not pass for a lag of everybody.
    """
    now = datetime.now(UTC)
    ready_at = now + _BUSY_AT_MOST if result.verdict is Verdict.BUSY else result.until
    if ready_at is None:
        await waiting.postpone(
            db,
            tenant_id=step.tenant_id,
            message_id=step.message_id,
            public_id=step.public_id,
            ready_at=None,
        )
        return
    # Whose turn comes by a signal, a lost workflow would miss it.
    looked_at = min(ready_at, now + _LOOK) if result.verdict is not Verdict.LATER else ready_at
    await waiting.wait(
        db,
        tenant_id=step.tenant_id,
        message_id=step.message_id,
        ready_at=ready_at,
        sweep_at=looked_at + grace,
    )


async def note_preparation(db: WriteSession, step: DispatchStep) -> None:
    """Note that a message waits inside its step, for its text part; its lock is held."""
    await waiting.postpone(
        db,
        tenant_id=step.tenant_id,
        message_id=step.message_id,
        ready_at=datetime.now(UTC) + policies.DISPATCH_BUDGET,
    )
