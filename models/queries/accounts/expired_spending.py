"""Deletes the totals of expired days."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from models.rules.billing.periods import day_of
from models.session import WriteSession

KEPT_FOR: Final = timedelta(days=400)
"""How long totals of a day are kept: a year, and a month to compare it with."""

# A row that a correction has locked is left for the next turn.
_DELETE_EXPIRED: Final = text(
    """
    WITH old AS MATERIALIZED (
        SELECT tenant_id, day, account, shard FROM spending_day
         WHERE day < CAST(:before AS date) ORDER BY day LIMIT :most FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM spending_day
         WHERE (tenant_id, day, account, shard) IN (
               SELECT tenant_id, day, account, shard FROM old)
        RETURNING 1
    )
    SELECT count(*) FROM deleted
    """
)


async def delete_expired(db: WriteSession, *, now: datetime, most: int) -> int:
    """Delete old totals; return how many rows were deleted.

    A correction that comes later changes what its attempt has cost, and no total.
    """
    values = {"before": day_of(now - KEPT_FOR), "most": most}
    return int(await db.scalar(_DELETE_EXPIRED, values) or 0)
