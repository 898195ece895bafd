"""Queries of deliveries to webhook endpoints: list, find, and add a test event."""

from collections.abc import Sequence
from datetime import datetime
from secrets import randbelow
from typing import Any

from sqlalchemy import Select, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.enums import WebhookDeliveryStatus, WebhookEventType, WebhookSubject
from models.queries.tenants.cursors import unknown_cursor
from models.session import ReadSession, WriteSession
from models.tables.base import row_id
from models.tables.webhook import WebhookDelivery, WebhookEndpoint

_PUBLIC_IDS = 2**52


async def insert_test_event(
    db: WriteSession, endpoint: WebhookEndpoint, now: datetime
) -> WebhookDelivery:
    """Insert a test event for one endpoint, due now; it waits for no other event."""
    event_id = 1 + randbelow(_PUBLIC_IDS - 1)
    delivery = WebhookDelivery(
        tenant_id=endpoint.tenant_id,
        endpoint_id=row_id(endpoint.id),
        event_id=event_id,
        type=WebhookEventType.WEBHOOK_TEST,
        merchant_id=endpoint.merchant_id,
        subject=WebhookSubject.TEST,
        subject_id=event_id,
        number=1,
        state={},
        status=WebhookDeliveryStatus.PENDING,
        due_at=now,
        created_at=now,
    )
    db.add(delivery)
    await db.flush()
    await db.refresh(delivery, ["id", "public_id"])
    return delivery


async def find_delivery(db: AsyncSession, tenant_id: int, public_id: int) -> WebhookDelivery | None:
    """Return a delivery of any endpoint of the tenant as it is now; None if there is none."""
    statement = select(WebhookDelivery).where(
        col(WebhookDelivery.tenant_id) == tenant_id, col(WebhookDelivery.public_id) == public_id
    )
    found = await db.scalars(statement.execution_options(populate_existing=True))
    return found.one_or_none()


async def list_deliveries(
    db: ReadSession,
    endpoint: WebhookEndpoint,
    *,
    status: WebhookDeliveryStatus | None,
    after: int | None,
    most: int,
) -> Sequence[WebhookDelivery]:
    """Return deliveries of one or any status, the newest first.

    Each status is read by `ix_webhook_delivery_endpoint`. `after` is the public id of the last
    delivery of the previous page; raises ValidationFailed if the endpoint has no such delivery.
    """
    newest = (col(WebhookDelivery.created_at).desc(), col(WebhookDelivery.id).desc())
    statement = _deliveries(endpoint)
    if after is not None:
        last = await find_delivery(db, endpoint.tenant_id, after)
        if last is None or last.endpoint_id != endpoint.id:
            raise unknown_cursor()
        order = tuple_(col(WebhookDelivery.created_at), col(WebhookDelivery.id))
        statement = statement.where(order < tuple_(last.created_at, last.id))
    pages: list[Select[Any]] = [
        statement.with_only_columns(col(WebhookDelivery.id))
        .where(col(WebhookDelivery.status) == one)
        .order_by(*newest)
        .limit(most)
        for one in (WebhookDeliveryStatus if status is None else [status])
    ]
    found = union_all(*(select(page.subquery()) for page in pages))
    merged = _deliveries(endpoint).where(col(WebhookDelivery.id).in_(found))
    return (await db.scalars(merged.order_by(*newest).limit(most))).all()


def _deliveries(endpoint: WebhookEndpoint) -> Select[WebhookDelivery]:
    return select(WebhookDelivery).where(
        col(WebhookDelivery.tenant_id) == endpoint.tenant_id,
        col(WebhookDelivery.endpoint_id) == endpoint.id,
    )
