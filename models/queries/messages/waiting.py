"""Writing down what a message that has no attempt under way waits for."""

from datetime import datetime
from typing import Final

from sqlalchemy import text

from models.session import WriteSession

_WAIT: Final = text(
    """
    UPDATE message
       SET ready_at = CASE WHEN attempts = 0 THEN CAST(:ready_at AS timestamptz) END,
           sweep_at = GREATEST(sweep_at, CAST(:sweep_at AS timestamptz))
     WHERE tenant_id = :tenant_id AND id = :message_id AND completed_at IS NULL
    """
)


async def wait(
    db: WriteSession,
    *,
    tenant_id: int,
    message_id: int,
    ready_at: datetime,
    sweep_at: datetime,
) -> None:
    """Note until when a message's workflow waits; the caller holds the message's lock.

    Args:
        ready_at: when a worker is to look at it next; only then is it late.
        sweep_at: the sweeper leaves it alone so long, its workflow runs.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    await db.execute(_WAIT, {**ids, "ready_at": ready_at, "sweep_at": sweep_at})


_PUT_OFF: Final = text(
    """
    WITH quiet AS (
        SELECT tenant_id, id FROM message
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND completed_at IS NULL AND attempts = 0 AND ready_at IS NOT NULL
           FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE message m
       SET ready_at = CASE WHEN CAST(:ready_at AS timestamptz) IS NOT NULL
                           THEN GREATEST(m.ready_at, CAST(:ready_at AS timestamptz)) END
      FROM quiet
     WHERE m.tenant_id = quiet.tenant_id AND m.id = quiet.id AND m.ready_at IS NOT NULL
    """
)


async def postpone(
    db: WriteSession, *, tenant_id: int, message_id: int, ready_at: datetime | None
) -> None:
    """Note that a worker has looked at a message, so that the message is not late for now.

    A message with an attempt is left alone, and so is one that another transaction has locked. The
    sweeper looks after it as before.

    Args:
        ready_at: when a worker is to look at it next; None if none is.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    await db.execute(_PUT_OFF, {**ids, "ready_at": ready_at})


_HOLD_BACK: Final = text(
    """
    UPDATE message SET held_back_at = :now
     WHERE tenant_id = :tenant_id AND id = :message_id AND held_back_at IS NULL
    """
)


async def note_held_back(
    db: WriteSession, *, tenant_id: int, message_id: int, now: datetime
) -> None:
    """Note that a message waits because its merchant is inactive; the first time is kept.

    The caller holds the message's lock.
    """
    await db.execute(_HOLD_BACK, {"tenant_id": tenant_id, "message_id": message_id, "now": now})
