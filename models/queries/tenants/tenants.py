"""Queries for tenants: look up, create with default senders, change and list."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.enums import DeliveryMode
from models.session import ReadSession, WriteSession
from models.tables.tenant import SenderAddress, SenderNumber, Tenant

_POOL: Final = 15_005_550_000
"""First number of the simulator's shared pools; +1 500 is reserved for personal use."""


async def find_tenant_id(db: ReadSession | WriteSession, name: str) -> int | None:
    """Return the id of the tenant with this name; None if there is none."""
    found: int | None = await db.scalar(select(col(Tenant.id)).where(col(Tenant.name) == name))
    return found


async def find_delivery_mode(db: ReadSession | WriteSession, tenant_id: int) -> DeliveryMode | None:
    """Return a tenant's delivery mode; None if the tenant does not exist."""
    mode = await db.scalar(select(col(Tenant.delivery_mode)).where(col(Tenant.id) == tenant_id))
    return None if mode is None else DeliveryMode(mode)


async def list_tenants(db: ReadSession | WriteSession) -> Sequence[Tenant]:
    """Return all tenants, the oldest first."""
    return (await db.scalars(select(Tenant).order_by(col(Tenant.id)))).all()


async def set_custom_prices(db: WriteSession, tenant_id: int, *, allowed: bool) -> None:
    """Set whether a tenant's own keys may buy credits at any price."""
    tenant = await db.get_one(Tenant, tenant_id, with_for_update=True)
    tenant.custom_prices = allowed
    await db.flush()


async def create_tenant(db: WriteSession, name: str, mode: DeliveryMode, *, now: datetime) -> int:
    """Create a tenant with a sender number and a sender address, and return its id.

    Idempotent: an existing tenant of this name is left unchanged.
    """
    created: int | None = await db.scalar(
        insert(Tenant)
        .values(name=name, delivery_mode=mode, created_at=now)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(col(Tenant.id))
    )
    if created is None:
        known = await find_tenant_id(db, name)
        assert known is not None
        return known
    await db.execute(
        insert(SenderNumber).values(
            number=f"+{_POOL + created}", tenant_id=created, merchant_id=None, created_at=now
        )
    )
    await db.execute(
        insert(SenderAddress).values(
            tenant_id=created, address=f"no-reply@{name}.example.com", created_at=now
        )
    )
    return created
