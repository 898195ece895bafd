"""Queries of webhook endpoints: create, find and list; hasten the end of what is pending."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.queries.tenants.visibility import CallerScope, visible_webhooks
from models.session import ReadSession, WriteSession
from models.tables.webhook import WebhookEndpoint

FoundEndpoint = tuple[WebhookEndpoint, str | None]
"""An endpoint and its merchant's external id; None for the tenant's own."""


async def lock_endpoints(db: WriteSession, *, tenant_id: int, merchant_id: int) -> int:
    """Return how many endpoints an owner has; nobody else creates one until the end.

    Merchant 0 is the tenant itself. Lock order: after the Idempotency-Key, before endpoints.
    """
    name = f"webhook-endpoints/{tenant_id}/{merchant_id}"
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
    statement = select(func.count()).where(
        col(WebhookEndpoint.tenant_id) == tenant_id,
        col(WebhookEndpoint.merchant_id) == merchant_id,
        col(WebhookEndpoint.deleted_at).is_(None),
    )
    return int(await db.scalar(statement) or 0)


async def insert_endpoint(db: WriteSession, endpoint: WebhookEndpoint) -> None:
    """Insert an endpoint; the database gives it its ids."""
    db.add(endpoint)
    await db.flush()
    await db.refresh(endpoint, ["id", "public_id"])


async def find_endpoint(
    db: AsyncSession, scope: CallerScope, public_id: int, *, locked: bool = False
) -> FoundEndpoint | None:
    """Return an endpoint; None if it does not exist, was deleted or is outside the scope.

    With `locked`, the row is locked until the transaction ends. Events can still be stored.
    """
    statement = visible_webhooks(scope).where(col(WebhookEndpoint.public_id) == public_id)
    if locked:
        statement = statement.with_for_update(of=WebhookEndpoint, key_share=True)
    row = (await db.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def list_endpoints(
    db: ReadSession, scope: CallerScope, *, after: int | None, most: int
) -> Sequence[FoundEndpoint]:
    """Return endpoints, the newest first; `after` is the last id of the previous page."""
    statement = visible_webhooks(scope).order_by(col(WebhookEndpoint.id).desc())
    if after is not None:
        statement = statement.where(col(WebhookEndpoint.id) < after)
    return [(row[0], row[1]) for row in await db.execute(statement.limit(most))]


# A locked row is being delivered or ended, which the worker does as well.
_HASTEN = text(
    """
    UPDATE webhook_delivery SET due_at = LEAST(due_at, :now)
     WHERE tenant_id = :tenant_id
       AND id = (SELECT id FROM webhook_delivery
                  WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id
                    AND status = 'PENDING'
                  ORDER BY due_at, id LIMIT 1
                    FOR UPDATE SKIP LOCKED)
    """
)


async def hasten_end(db: WriteSession, endpoint: WebhookEndpoint, now: datetime) -> None:
    """Make a pending delivery of an inactive endpoint due.

    The worker looks at an endpoint once a delivery is due, and then ends all that are pending.
    """
    values = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id, "now": now}
    await db.execute(_HASTEN, values)
