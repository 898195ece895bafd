"""Tenants: found by name, made with what they send from, changed and listed."""

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
"""Numbers of shared pools in the simulator begin here: +1 500 is reserved for personal use."""


async def find_tenant_id(db: ReadSession | WriteSession, name: str) -> int | None:
    """Return the id of the tenant of a name."""
    found: int | None = await db.scalar(select(col(Tenant.id)).where(col(Tenant.name) == name))
    return found


async def find_delivery_mode(db: ReadSession | WriteSession, tenant_id: int) -> DeliveryMode | None:
    """Return where a tenant's messages go."""
    mode = await db.scalar(select(col(Tenant.delivery_mode)).where(col(Tenant.id) == tenant_id))
    return None if mode is None else DeliveryMode(mode)


async def list_tenants(db: ReadSession | WriteSession) -> Sequence[Tenant]:
    """Return all tenants, the oldest first."""
    return (await db.scalars(select(Tenant).order_by(col(Tenant.id)))).all()


async def set_custom_prices(db: WriteSession, tenant_id: int, *, allowed: bool) -> None:
    """Say whether a tenant's own keys may order credits at any price."""
    tenant = await db.get_one(Tenant, tenant_id, with_for_update=True)
    tenant.custom_prices = allowed
    await db.flush()


async def create_tenant(db: WriteSession, name: str, mode: DeliveryMode, *, now: datetime) -> int:
    """Create a tenant with a number and an address to send from, and return its id.

    One of this name that exists is left as it is.
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
