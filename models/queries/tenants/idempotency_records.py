"""The stored answers of keyed requests, and the lock that a key is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, text
from sqlmodel import col

from models.database.limits import KEY_WAIT
from models.session import WriteSession
from models.tables.idempotency import IdempotencyRecord

# A twin is waited for longer than any other lock. Each part reads from the one before, so that they
# are carried out in this order.
_LOCK = text(
    """
    WITH usual AS MATERIALIZED (
        SELECT current_setting('lock_timeout') AS patience
    ), longer AS MATERIALIZED (
        SELECT usual.patience, set_config('lock_timeout', :patience, TRUE) FROM usual
    ), locked AS MATERIALIZED (
        SELECT longer.patience, pg_advisory_xact_lock(hashtextextended(:name, 0)) FROM longer
    )
    SELECT set_config('lock_timeout', locked.patience, TRUE) FROM locked
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKey:
    """What identifies a record: one key of one scope, for one operation."""

    tenant_id: int
    operation: str
    scope: str
    idempotency_key: str


async def lock_key(db: WriteSession, key: RecordKey) -> None:
    """Wait until nobody else is at work with this key, and keep others out until the end."""
    name = "\x1f".join(
        ("idempotency", str(key.tenant_id), key.operation, key.scope, key.idempotency_key)
    )
    await db.execute(_LOCK, {"name": name, "patience": f"{KEY_WAIT.total_seconds()}s"})


async def find_record(db: WriteSession, key: RecordKey) -> IdempotencyRecord | None:
    """Return what is kept of a key, if anything."""
    return await db.get(
        IdempotencyRecord, (key.tenant_id, key.operation, key.scope, key.idempotency_key)
    )


async def add_record(
    db: WriteSession, key: RecordKey, *, fingerprint: str, answer: dict[str, Any], now: datetime
) -> None:
    """Keep the answer of a key."""
    db.add(
        IdempotencyRecord(
            tenant_id=key.tenant_id,
            operation=key.operation,
            scope=key.scope,
            idempotency_key=key.idempotency_key,
            fingerprint=fingerprint,
            answer=answer,
            created_at=now,
        )
    )
    await db.flush()


async def delete_record(db: WriteSession, key: RecordKey, *, fingerprint: str) -> None:
    """Forget a key of a request, so that it may be used for another one."""
    await db.execute(
        delete(IdempotencyRecord).where(
            col(IdempotencyRecord.tenant_id) == key.tenant_id,
            col(IdempotencyRecord.operation) == key.operation,
            col(IdempotencyRecord.scope) == key.scope,
            col(IdempotencyRecord.idempotency_key) == key.idempotency_key,
            col(IdempotencyRecord.fingerprint) == fingerprint,
        )
    )
