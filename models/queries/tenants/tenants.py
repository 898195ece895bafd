"""Queries for tenants: look up, create with default senders, change and list."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.enums import DeliveryMode
from models.rules.messages.destination_limits import DestinationLimits
from models.rules.tenants.allowed_countries import HOME
from models.session import ReadSession, WriteSession
from models.tables.tenant import SenderAddress, SenderNumber, Tenant

_POOL: Final = 15_005_550_000
"""First number of the simulator's shared pools; +1 500 is reserved for personal use."""


async def find_tenant_id(db: ReadSession | WriteSession, name: str) -> int | None:
    """Return the id of the tenant with this name; None if there is none."""
    found: int | None = await db.scalar(select(col(Tenant.id)).where(col(Tenant.name) == name))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedMode:
    """A tenant's name and delivery mode; neither ever changes."""

    name: str
    delivery_mode: DeliveryMode


async def find_named_mode(db: ReadSession | WriteSession, tenant_id: int) -> NamedMode | None:
    """Return a tenant's name and delivery mode; None if the tenant does not exist."""
    named = select(col(Tenant.name), col(Tenant.delivery_mode))
    row = (await db.execute(named.where(col(Tenant.id) == tenant_id))).one_or_none()
    if row is None:
        return None
    return NamedMode(name=row.name, delivery_mode=DeliveryMode(row.delivery_mode))


async def find_unknown(db: ReadSession | WriteSession, names: Collection[str]) -> Sequence[str]:
    """Return those of the names that no tenant has."""
    known = await db.scalars(select(col(Tenant.name)).where(col(Tenant.name).in_(names)))
    return sorted(set(names) - set(known))


async def find_tenant_by_public_id(db: ReadSession, public_id: int) -> int | None:
    """Return the row id of the tenant with this public id; None if there is none."""
    statement = select(col(Tenant.id)).where(col(Tenant.public_id) == public_id)
    found: int | None = await db.scalar(statement)
    return found


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


_GUARD: Final = text(
    """
    UPDATE tenant
       SET daily_spending_limit = CASE WHEN :set_limit THEN CAST(:spending_limit AS numeric)
                                       ELSE daily_spending_limit END,
           allowed_countries =
               CASE WHEN CAST(:countries AS varchar[]) IS NULL THEN allowed_countries
                    WHEN :more THEN ARRAY(
                        SELECT DISTINCT place
                          FROM unnest(COALESCE(allowed_countries, ARRAY[country])
                                      || CAST(:countries AS varchar[])) AS place
                         ORDER BY place)
                    ELSE CAST(:countries AS varchar[]) END
     WHERE id = :tenant_id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingGuard:
    """Changes of a tenant's spending limit and countries; the defaults change nothing."""

    set_limit: bool = False
    limit: Decimal | None = None
    """USD a day; None: no limit. Only with `set_limit`."""
    countries: Sequence[str] | None = None
    more: bool = False
    """The countries are allowed besides those that are allowed so far."""


async def change_spending_guard(db: WriteSession, tenant_id: int, guard: SpendingGuard) -> None:
    """Change what a tenant may spend in a day and where it may send to."""
    await db.execute(
        _GUARD,
        {
            "tenant_id": tenant_id,
            "set_limit": guard.set_limit,
            "spending_limit": guard.limit,
            "countries": None if guard.countries is None else list(guard.countries),
            "more": guard.more,
        },
    )


async def create_tenant(
    db: WriteSession, name: str, mode: DeliveryMode, *, now: datetime, country: str = HOME
) -> int:
    """Create a tenant with a sender number and a sender address, and return its id.

    Idempotent: an existing tenant of this name is left unchanged.
    """
    created: int | None = await db.scalar(
        insert(Tenant)
        .values(name=name, delivery_mode=mode, country=country, created_at=now)
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
