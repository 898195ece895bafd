"""Finds batches with open work that may have no running workflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from models.enums import Channel
from models.rules.messages.batches.identity import BatchStart
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class StalledBatch:
    """A batch that is due for sweeping."""

    start: BatchStart
    canceled: bool


# The interval grows with the age, as for messages.
_SWEEP: Final = text(
    """
    WITH stalled AS (
        SELECT tenant_id, id FROM batch
         WHERE sweep_at <= :now
         ORDER BY sweep_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE batch b
       SET sweep_at = :now + LEAST(GREATEST(CAST(:grace AS interval), (:now - b.created_at) / 2),
                                   CAST(:longest AS interval))
      FROM stalled, merchant m
     WHERE b.tenant_id = stalled.tenant_id AND b.id = stalled.id
       AND m.tenant_id = b.tenant_id AND m.id = b.merchant_id
    RETURNING b.tenant_id,
              (SELECT public_id FROM tenant WHERE tenant.id = b.tenant_id) AS tenant_public_id,
              b.id, b.public_id, b.merchant_id, m.external_id, b.channel, b.total, b.scope,
              b.idempotency_key, b.canceled_at IS NOT NULL AS canceled
    """
)


async def take_stalled_batches(
    db: WriteSession, *, now: datetime, grace: timedelta, longest: timedelta, most: int
) -> Sequence[StalledBatch]:
    """Return batches of all tenants that are due for sweeping, and schedule their next sweep."""
    rows = await db.execute(_SWEEP, {"now": now, "grace": grace, "longest": longest, "most": most})
    return [
        StalledBatch(
            start=BatchStart(
                tenant_id=row.tenant_id,
                tenant_public_id=row.tenant_public_id,
                batch_id=row.id,
                public_id=row.public_id,
                merchant_id=row.merchant_id,
                merchant=row.external_id,
                channel=Channel(row.channel),
                total=row.total,
                scope=row.scope,
                idempotency_key=row.idempotency_key,
            ),
            canceled=row.canceled,
        )
        for row in rows
    ]
