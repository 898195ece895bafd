"""Records what a message that was not claimed waits for, so that it does not count as late."""

from datetime import UTC, datetime, timedelta
from typing import Final

from models.queries.messages import waiting
from models.session import WriteSession
from workflows import policies
from workflows.messages.types import DispatchResult, DispatchStep, Verdict

_BUSY_AT_MOST: Final = timedelta(hours=1)
"""After this long in the queue of a busy provider a message counts as late."""

_LOOK: Final = timedelta(minutes=10)
"""How often the sweeper checks a message that waits for a slot."""


async def note_wait(
    db: WriteSession, step: DispatchStep, result: DispatchResult, grace: timedelta
) -> None:
    """Record until when a message that was not claimed waits; the caller holds its lock.

    In a busy provider's queue it waits for that provider only, and does not count in the load of
    the workers. A message that is about to end or under way waits for no worker: if it cannot be
    settled, it must not count as a lag of all messages.
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
    # A message that waits for a signal would wait forever if its workflow were lost.
    looked_at = min(ready_at, now + _LOOK) if result.verdict is not Verdict.LATER else ready_at
    await waiting.wait(
        db,
        tenant_id=step.tenant_id,
        message_id=step.message_id,
        ready_at=ready_at,
        sweep_at=looked_at + grace,
    )


async def note_preparation(db: WriteSession, step: DispatchStep) -> None:
    """Record that a message waits for its text part; the caller holds its lock."""
    await waiting.postpone(
        db,
        tenant_id=step.tenant_id,
        message_id=step.message_id,
        ready_at=datetime.now(UTC) + policies.DISPATCH_BUDGET,
    )
