"""Deletes deliveries that are kept no longer, and endpoints that were deleted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from models.enums import WebhookSubject
from models.queries.webhooks.deliveries_due import PendingDelivery
from models.queries.webhooks.failing_alerts import resolve_failing
from models.session import ReadSession, WriteSession

KEPT_FOR: Final = timedelta(days=30)
"""How long the contract promises that an event can be delivered again."""

_GRACE: Final = timedelta(minutes=10)
"""A statement that read an endpoint before it was deleted may still insert a delivery."""

_ENDPOINTS_AT_ONCE: Final = 20

_DELETE_OLD: Final = text(
    """
    WITH old AS MATERIALIZED (
        SELECT tenant_id, id FROM webhook_delivery
         WHERE created_at < :before AND status <> 'PENDING'
         ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM webhook_delivery
         WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM old)
        RETURNING 1
    )
    SELECT count(*) FROM deleted
    """
)


async def delete_old(db: WriteSession, *, now: datetime, most: int) -> int:
    """Delete deliveries that have ended and are older than `KEPT_FOR`; return how many."""
    return int(await db.scalar(_DELETE_OLD, {"before": now - KEPT_FOR, "most": most}) or 0)


_OLD_PENDING: Final = text(
    """
    SELECT tenant_id, endpoint_id, id, subject, subject_id, attempts
      FROM webhook_delivery
     WHERE created_at < :before AND status = 'PENDING'
     ORDER BY created_at LIMIT :most
    """
)


async def old_pending(db: ReadSession, *, now: datetime, most: int) -> Sequence[PendingDelivery]:
    """Return deliveries that are older than `KEPT_FOR` and still pending."""
    rows = await db.execute(_OLD_PENDING, {"before": now - KEPT_FOR, "most": most})
    return [
        PendingDelivery(
            tenant_id=row.tenant_id,
            endpoint_id=row.endpoint_id,
            delivery_id=row.id,
            subject=WebhookSubject(row.subject),
            subject_id=row.subject_id,
            attempts=row.attempts,
        )
        for row in rows
    ]


_DELETED_ENDPOINTS: Final = text(
    """
    SELECT tenant_id, id, public_id, merchant_id FROM webhook_endpoint
     WHERE deleted_at IS NOT NULL AND deleted_at < :before
     ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
    """
)

_DELETE_OF_ENDPOINT: Final = text(
    """
    WITH chosen AS MATERIALIZED (
        SELECT id FROM webhook_delivery
         WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id
         LIMIT :most FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM webhook_delivery
         WHERE tenant_id = :tenant_id AND id IN (SELECT id FROM chosen)
        RETURNING 1
    )
    SELECT count(*) FROM deleted
    """
)

_DELETE_ENDPOINT: Final = text(
    """
    DELETE FROM webhook_endpoint e
     WHERE e.tenant_id = :tenant_id AND e.id = :endpoint_id
       AND NOT EXISTS (SELECT FROM webhook_delivery d
                        WHERE d.tenant_id = e.tenant_id AND d.endpoint_id = e.id)
    """
)


async def delete_deleted_endpoints(db: WriteSession, *, now: datetime, most: int) -> int:
    """Delete deliveries of deleted endpoints, then these endpoints; return how many deliveries.

    The lock on an endpoint's row keeps others from inserting further deliveries.
    """
    values = {"before": now - _GRACE, "most": _ENDPOINTS_AT_ONCE}
    endpoints = (await db.execute(_DELETED_ENDPOINTS, values)).all()
    deleted = 0
    for endpoint in endpoints:
        ids = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id}
        left = most - deleted
        if left == 0:
            break
        deleted += int(await db.scalar(_DELETE_OF_ENDPOINT, {**ids, "most": left}) or 0)
        await resolve_failing(
            db,
            tenant_id=endpoint.tenant_id,
            merchant_id=endpoint.merchant_id,
            public_id=endpoint.public_id,
            now=now,
        )
        await db.execute(_DELETE_ENDPOINT, ids)
    return deleted
