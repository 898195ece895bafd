"""Finds payments that may have no running workflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from models.enums import Channel
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class StalledPayment:
    """An uncompleted payment that is due for sweeping.

    `told`: its row knows of a charge that its workflow may not know of.
    """

    tenant_id: int
    tenant_public_id: int
    payment_id: int
    public_id: int
    merchant: str
    channel: Channel
    scope: str
    idempotency_key: str | None
    accepted_at: datetime
    told: bool


# The interval grows with the age, as for messages.
_SWEEP = text(
    """
    WITH stalled AS (
        SELECT tenant_id, id FROM payment
         WHERE completed_at IS NULL AND sweep_at <= :now
         ORDER BY sweep_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE payment p
       SET sweep_at = :now + LEAST(GREATEST(CAST(:grace AS interval), (:now - p.accepted_at) / 2),
                                   CAST(:longest AS interval))
      FROM stalled, merchant m
     WHERE p.tenant_id = stalled.tenant_id AND p.id = stalled.id
       AND m.tenant_id = p.tenant_id AND m.id = p.merchant_id
    RETURNING p.tenant_id,
              (SELECT public_id FROM tenant WHERE tenant.id = p.tenant_id) AS tenant_public_id,
              p.id, p.public_id, m.external_id, p.channel, p.scope, p.idempotency_key,
              p.accepted_at, p.taken_at IS NOT NULL AS told
    """
)


async def take_stalled_payments(
    db: WriteSession, *, now: datetime, grace: timedelta, longest: timedelta, most: int
) -> Sequence[StalledPayment]:
    """Return payments of all tenants that are due for sweeping, and schedule their next sweep."""
    rows = await db.execute(_SWEEP, {"now": now, "grace": grace, "longest": longest, "most": most})
    return [
        StalledPayment(
            tenant_id=row.tenant_id,
            tenant_public_id=row.tenant_public_id,
            payment_id=row.id,
            public_id=row.public_id,
            merchant=row.external_id,
            channel=Channel(row.channel),
            scope=row.scope,
            idempotency_key=row.idempotency_key,
            accepted_at=row.accepted_at,
            told=row.told,
        )
        for row in rows
    ]
