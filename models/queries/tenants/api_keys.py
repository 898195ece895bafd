"""API keys: looked up by their hash, made, revoked and listed."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlmodel import col

from models.session import ReadSession, WriteSession
from models.tables.base import row_id
from models.tables.merchant import Merchant
from models.tables.tenant import ApiKey

_OWNER = (col(Merchant.tenant_id) == col(ApiKey.tenant_id)) & (
    col(Merchant.id) == col(ApiKey.merchant_id)
)


async def find_live_key(db: ReadSession, key_hash: str) -> tuple[ApiKey, str | None] | None:
    """Return a key that is not revoked, with its merchant's name in the contract."""
    statement = (
        select(ApiKey, col(Merchant.external_id))
        .outerjoin(Merchant, _OWNER)
        .where(col(ApiKey.key_hash) == key_hash, col(ApiKey.revoked_at).is_(None))
    )
    row = (await db.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def add_key(db: WriteSession, key: ApiKey) -> int:
    """Keep a new key and return its id."""
    db.add(key)
    await db.flush()
    return row_id(key.id)


async def revoke_key(db: WriteSession, tenant_id: int, key_id: int, *, now: datetime) -> bool:
    """Revoke a tenant's key; False if it has no such key, or it is revoked."""
    statement = (
        update(ApiKey)
        .where(
            col(ApiKey.tenant_id) == tenant_id,
            col(ApiKey.id) == key_id,
            col(ApiKey.revoked_at).is_(None),
        )
        .values(revoked_at=now)
        .returning(col(ApiKey.id))
    )
    return await db.scalar(statement) is not None


async def list_keys(
    db: ReadSession | WriteSession, tenant_id: int
) -> Sequence[tuple[ApiKey, str | None]]:
    """Return a tenant's keys, the oldest first, each with its merchant's name in the contract."""
    statement = (
        select(ApiKey, col(Merchant.external_id))
        .outerjoin(Merchant, _OWNER)
        .where(col(ApiKey.tenant_id) == tenant_id)
        .order_by(col(ApiKey.id))
    )
    return [(key, merchant) for key, merchant in await db.execute(statement)]
