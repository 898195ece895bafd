"""Queries for API keys: look up by hash, add, revoke and list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlmodel import col

from models.enums import DeliveryMode
from models.rules.tenants.allowed_countries import AllowedCountries
from models.session import ReadSession, WriteSession
from models.tables.merchant import Merchant
from models.tables.tenant import ApiKey, Tenant

_OWNER = (col(Merchant.tenant_id) == col(ApiKey.tenant_id)) & (
    col(Merchant.id) == col(ApiKey.merchant_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKey:
    """A key that is neither revoked nor expired, with the public ids of its owners.

    `merchant` is the merchant's external id.
    """

    key: ApiKey
    tenant_public_id: int
    merchant_public_id: int | None
    merchant: str | None
    countries: AllowedCountries


def _is_usable(now: datetime) -> ColumnElement[bool]:
    return col(ApiKey.revoked_at).is_(None) & (
        col(ApiKey.expires_at).is_(None) | (col(ApiKey.expires_at) > now)
    )


async def find_live_key(db: ReadSession, key_hash: str, *, now: datetime) -> LiveKey | None:
    """Return the key with this hash; None if there is none, or it is revoked or expired."""
    statement = (
        select(
            ApiKey,
            col(Tenant.public_id),
            col(Merchant.public_id),
            col(Merchant.external_id),
            col(Tenant.delivery_mode),
            col(Tenant.country),
            col(Tenant.allowed_countries),
        )
        .join(Tenant, col(Tenant.id) == col(ApiKey.tenant_id))
        .outerjoin(Merchant, _OWNER)
        .where(col(ApiKey.key_hash) == key_hash, _is_usable(now))
    )
    row = (await db.execute(statement)).one_or_none()
    if row is None:
        return None
    return LiveKey(
        key=row[0],
        tenant_public_id=row[1],
        merchant_public_id=row[2],
        merchant=row[3],
        countries=AllowedCountries(mode=DeliveryMode(row[4]), country=row[5], chosen=row[6]),
    )


async def add_key(db: WriteSession, key: ApiKey) -> int:
    """Insert a new key and return its public id."""
    db.add(key)
    await db.flush()
    return key.public_id


async def revoke_key(db: WriteSession, tenant_id: int, public_id: int, *, now: datetime) -> bool:
    """Revoke a tenant's key; False if it has no such key or it is already revoked."""
    statement = (
        update(ApiKey)
        .where(
            col(ApiKey.tenant_id) == tenant_id,
            col(ApiKey.public_id) == public_id,
            col(ApiKey.revoked_at).is_(None),
        )
        .values(revoked_at=now)
        .returning(col(ApiKey.id))
    )
    return await db.scalar(statement) is not None


async def list_keys(
    db: ReadSession | WriteSession, tenant_id: int
) -> Sequence[tuple[ApiKey, str | None]]:
    """Return a tenant's keys, the oldest first, each with its merchant's external id."""
    statement = (
        select(ApiKey, col(Merchant.external_id))
        .outerjoin(Merchant, _OWNER)
        .where(col(ApiKey.tenant_id) == tenant_id)
        .order_by(col(ApiKey.id))
    )
    return [(key, merchant) for key, merchant in await db.execute(statement)]
