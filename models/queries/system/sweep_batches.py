"""Finds batches with open work that may have no running workflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from models.queries.messages.batches.identity import START, start_of
from models.rules.messages.batches.identity import BatchStart
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class StalledBatch:
    """A batch that is due for sweeping."""

    start: BatchStart
    canceled: bool


# The interval grows with the age, as for messages.
_SWEEP: Final = text(
    f"""
    WITH stalled AS (
        SELECT tenant_id, id FROM batch
         WHERE sweep_at <= :now
         ORDER BY sweep_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE batch b
       SET sweep_at = :now + LEAST(GREATEST(CAST(:grace AS interval), (:now - b.created_at) / 2),
                                   CAST(:longest AS interval))
      FROM stalled
      JOIN tenant ON tenant.id = stalled.tenant_id, merchant
     WHERE b.tenant_id = stalled.tenant_id AND b.id = stalled.id
       AND merchant.tenant_id = b.tenant_id AND merchant.id = b.merchant_id
    RETURNING {START}, b.canceled_at IS NOT NULL AS canceled
    """  # noqa: S608 - every value is a parameter
)


async def take_stalled_batches(
    db: WriteSession, *, now: datetime, grace: timedelta, longest: timedelta, most: int
) -> Sequence[StalledBatch]:
    """Return batches of all tenants that are due for sweeping, and schedule their next sweep."""
    rows = await db.execute(_SWEEP, {"now": now, "grace": grace, "longest": longest, "most": most})
    return [StalledBatch(start=start_of(row), canceled=row.canceled) for row in rows]
