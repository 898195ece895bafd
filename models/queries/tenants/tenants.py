"""Queries for tenants: look up, create with default senders, change and list."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.enums import DeliveryMode
from models.rules.messages.destination_limits import DestinationLimits
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


_CHANGE: Final = text(
    """
    UPDATE tenant
       SET custom_prices = COALESCE(:custom_prices, custom_prices),
           resend_after_window = COALESCE(:resend_after_window, resend_after_window),
           otps_per_10_minutes = COALESCE(:otps_per_10_minutes, otps_per_10_minutes),
           otps_per_day = COALESCE(:otps_per_day, otps_per_day),
           new_recipients_per_hour = COALESCE(:new_recipients_per_hour, new_recipients_per_hour)
     WHERE id = :tenant_id
    """
)


async def change_settings(
    db: WriteSession,
    tenant_id: int,
    *,
    custom_prices: bool | None,
    limits: DestinationLimits,
    resend_after_window: bool | None = None,
) -> None:
    """Change settings of a tenant; None leaves one as it is."""
    given = {
        "custom_prices": custom_prices,
        "resend_after_window": resend_after_window,
        **asdict(limits),
    }
    await db.execute(_CHANGE, {"tenant_id": tenant_id, **given})


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
