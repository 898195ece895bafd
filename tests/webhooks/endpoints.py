"""Endpoints and deliveries for tests, written without the API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text
from sqlmodel import col

from models.enums import WebhookEventType
from models.session import Database, WriteSession
from models.tables.webhook import WebhookDelivery, WebhookEndpoint
from tests.factories import Owner


async def make_endpoint(database: Database, owner: Owner, **facts: Any) -> WebhookEndpoint:
    """Create an endpoint of an owner's tenant."""
    return await make_endpoint_of(database, owner.tenant_id, **facts)


async def make_endpoint_of(
    database: Database,
    tenant_id: int,
    *,
    url: str = "https://example.com/hook",
    events: Sequence[WebhookEventType] = (),
    merchant_id: int = 0,
    active: bool = True,
) -> WebhookEndpoint:
    """Create an endpoint of a tenant."""
    now = datetime.now(UTC)
    endpoint = WebhookEndpoint(
        tenant_id=tenant_id,
        merchant_id=merchant_id,
        url=url,
        events=list(events),
        active=active,
        created_at=now,
        updated_at=now,
    )
    async with database.transaction() as db:
        db.add(endpoint)
        await db.flush()
        await db.refresh(endpoint)
    return endpoint


async def deliveries_of(database: Database, endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    """Return the deliveries of an endpoint in the order of their ids."""
    async with database.read() as db:
        statement = (
            select(WebhookDelivery)
            .where(
                col(WebhookDelivery.tenant_id) == endpoint.tenant_id,
                col(WebhookDelivery.endpoint_id) == endpoint.id,
            )
            .order_by(col(WebhookDelivery.id))
        )
        return list(await db.scalars(statement))


_SET_STATUS = text("UPDATE message SET status = :status WHERE tenant_id = :tenant AND id = :id")


async def write_status(db: WriteSession, tenant_id: int, message_id: int, status: str) -> None:
    """Write the status of a message as a step of its workflow would."""
    await db.execute(_SET_STATUS, {"tenant": tenant_id, "id": message_id, "status": status})


async def set_status(database: Database, tenant_id: int, message_id: int, status: str) -> None:
    """Write and commit the status of a message."""
    async with database.transaction() as db:
        await write_status(db, tenant_id, message_id, status)


def told(deliveries: Sequence[WebhookDelivery]) -> list[tuple[Any, ...]]:
    """Return type, number, status and whether it is due, of each delivery."""
    return [(d.type, d.number, d.status, d.due_at is not None) for d in deliveries]
