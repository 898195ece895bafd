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
