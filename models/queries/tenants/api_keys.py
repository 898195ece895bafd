"""Queries for API keys: look up by hash, add, revoke, list, and the time of their last use."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, false, select, text, update
from sqlmodel import col

from models.enums import DeliveryMode, KeyScope
from models.queries.tenants.visibility import CallerScope, visible_keys
from models.rules.tenants.allowed_countries import AllowedCountries
from models.rules.tenants.credentials import Credentials, hash_credential
from models.rules.tenants.key_grants import in_order
from models.session import ReadSession, WriteSession
from models.tables.base import row_id
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


def is_expired(key: ApiKey, now: datetime) -> bool:
    """Return whether a key's validity has ended."""
    return key.expires_at is not None and key.expires_at <= now


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


def new_key(
    credentials: Credentials,
    *,
    tenant_id: int,
    merchant_id: int | None,
    name: str,
    scopes: Collection[KeyScope],
    expires_at: datetime | None,
    now: datetime,
) -> ApiKey:
    """Return the row of a new key."""
    return ApiKey(
        tenant_id=tenant_id,
        merchant_id=merchant_id,
        name=name,
        key=credentials.key,
        key_hash=hash_credential(credentials.key),
        secret_hash=hash_credential(credentials.secret),
        scopes=in_order(scopes),
        expires_at=expires_at,
        created_at=now,
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


async def list_live_keys(
    db: ReadSession, scope: CallerScope, *, after: int | None, most: int
) -> Sequence[tuple[ApiKey, str | None]]:
    """Return the keys that a caller sees and that are not revoked, the newest first.

    Each has its merchant's external id; `after` is the last id of the previous page.
    """
    statement = (
        visible_keys(scope).where(col(ApiKey.revoked_at).is_(None)).order_by(col(ApiKey.id).desc())
    )
    if after is not None:
        statement = statement.where(col(ApiKey.id) < after)
    return [(key, merchant) for key, merchant in await db.execute(statement.limit(most))]


async def find_visible_key(db: WriteSession, scope: CallerScope, public_id: int) -> int | None:
    """Return the row id of a key that a caller sees; None if there is none or it is revoked."""
    found = await db.execute(
        visible_keys(scope)
        .where(col(ApiKey.public_id) == public_id, col(ApiKey.revoked_at).is_(None))
        .with_only_columns(col(ApiKey.id))
    )
    return found.scalar_one_or_none()


_LOCK_DELETIONS = text(
    "SELECT pg_advisory_xact_lock("
    "hashtextextended(concat_ws(chr(31), 'keys', CAST(:tenant_id AS bigint)), 0))"
)


async def lock_deletions(db: WriteSession, tenant_id: int) -> None:
    """Wait for other deletions of a tenant's keys; the lock is held until the transaction ends."""
    await db.execute(_LOCK_DELETIONS, {"tenant_id": tenant_id})


async def hold_keys(db: WriteSession, tenant_id: int, ids: Collection[int]) -> Mapping[int, ApiKey]:
    """Lock keys until the transaction ends; return those that are not revoked by then, by id.

    They are locked in ascending order, as `write_last_uses` does.
    """
    statement = (
        select(ApiKey)
        .where(
            col(ApiKey.tenant_id) == tenant_id,
            col(ApiKey.id).in_(ids),
            col(ApiKey.revoked_at).is_(None),
        )
        .order_by(col(ApiKey.id))
        .with_for_update(key_share=True)
    )
    return {row_id(key.id): key for key in await db.scalars(statement)}


async def has_other_admin_key(db: WriteSession, key: ApiKey) -> bool:
    """Return whether the tenant has another admin key that is valid at least as long.

    Keys that are limited to a merchant do not count.
    """
    expiry = col(ApiKey.expires_at)
    at_least = false() if key.expires_at is None else expiry >= key.expires_at
    other = exists().where(
        col(ApiKey.tenant_id) == key.tenant_id,
        col(ApiKey.id) != key.id,
        col(ApiKey.merchant_id).is_(None),
        col(ApiKey.revoked_at).is_(None),
        col(ApiKey.scopes).contains([KeyScope.ADMIN.value]),
        expiry.is_(None) | at_least,
    )
    return bool(await db.scalar(select(other)))


# Locked in one order, because several processes write at once. A row that another process has moved
# to this minute or a later one is left alone.
_WRITE_LAST_USES = text(
    """
    WITH used AS (
        SELECT * FROM unnest(
            CAST(:tenants AS bigint[]), CAST(:keys AS bigint[]), CAST(:minutes AS timestamptz[])
        ) AS used (tenant_id, id, minute)
    ), locked AS (
        SELECT k.tenant_id, k.id, used.minute
          FROM api_key k JOIN used ON used.tenant_id = k.tenant_id AND used.id = k.id
         WHERE k.last_used_at IS NULL OR k.last_used_at < used.minute
         ORDER BY k.tenant_id, k.id
           FOR NO KEY UPDATE OF k
    )
    UPDATE api_key k SET last_used_at = locked.minute
      FROM locked
     WHERE k.tenant_id = locked.tenant_id AND k.id = locked.id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastUse:
    """The minute in which a key was last used."""

    tenant_id: int
    key_id: int
    minute: datetime


async def write_last_uses(db: WriteSession, uses: Sequence[LastUse]) -> None:
    """Move the last uses of keys forward, in one statement. Idempotent."""
    await db.execute(
        _WRITE_LAST_USES,
        {
            "tenants": [use.tenant_id for use in uses],
            "keys": [use.key_id for use in uses],
            "minutes": [use.minute for use in uses],
        },
    )
