"""Records what a message without a running attempt waits for."""

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
    """Record until when a message's workflow waits; the caller holds the message's lock.

    Args:
        ready_at: when a worker should process it next; after that it counts as late.
        sweep_at: the sweeper ignores it until then, because its workflow is running.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    await db.execute(_WAIT, {**ids, "ready_at": ready_at, "sweep_at": sweep_at})


_PUT_OFF: Final = text(
    """
    WITH quiet AS (
        SELECT tenant_id, id FROM message
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND CAST(:public_id AS bigint) IN (0, public_id)
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
    db: WriteSession,
    *,
    tenant_id: int,
    message_id: int,
    ready_at: datetime | None,
    public_id: int = 0,
) -> None:
    """Record that a worker has processed a message, so that it does not count as late.

    A message that has an attempt or is locked by another transaction is left unchanged. The sweeper
    is not affected.

    Args:
        ready_at: when a worker should process it next; None if none should.
        public_id: a row that has another one is left unchanged; 0 matches every row.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id, "public_id": public_id}
    await db.execute(_PUT_OFF, {**ids, "ready_at": ready_at})


_HOLD_BACK: Final = text(
    """
    UPDATE message SET held_back_at = :now
     WHERE tenant_id = :tenant_id AND id = :message_id AND held_back_at IS NULL
    """
)


async def note_held_back(db: WriteSession, tenant_id: int, message_id: int, now: datetime) -> None:
    """Note that a message waits because its merchant is inactive; the first time is kept.

    The caller holds the message's lock.
    """
    await db.execute(_HOLD_BACK, {"tenant_id": tenant_id, "message_id": message_id, "now": now})
