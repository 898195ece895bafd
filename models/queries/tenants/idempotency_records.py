"""The stored answers of requests with an Idempotency-Key, and the lock of each."""

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
    """What identifies a record: an Idempotency-Key on one route, in one scope of a tenant."""

    tenant_id: int
    route: str
    """Method and template of the path."""
    scope: str
    idempotency_key: str


async def lock_record(db: WriteSession, record_key: RecordKey) -> None:
    """Wait until no other transaction has this record, and keep others out until the end."""
    name = "\x1f".join(
        (
            "idempotency",
            str(record_key.tenant_id),
            record_key.route,
            record_key.scope,
            record_key.idempotency_key,
        )
    )
    await db.execute(_LOCK, {"name": name, "patience": f"{KEY_WAIT.total_seconds()}s"})


async def find_record(db: WriteSession, record_key: RecordKey) -> IdempotencyRecord | None:
    """Return the record, if there is one."""
    return await db.get(
        IdempotencyRecord,
        (record_key.tenant_id, record_key.route, record_key.scope, record_key.idempotency_key),
    )


async def add_record(
    db: WriteSession,
    record_key: RecordKey,
    *,
    fingerprint: str,
    answer: dict[str, Any],
    now: datetime,
) -> None:
    """Keep an answer."""
    db.add(
        IdempotencyRecord(
            tenant_id=record_key.tenant_id,
            route=record_key.route,
            scope=record_key.scope,
            idempotency_key=record_key.idempotency_key,
            fingerprint=fingerprint,
            answer=answer,
            created_at=now,
        )
    )
    await db.flush()


async def delete_record(db: WriteSession, record_key: RecordKey, *, fingerprint: str) -> None:
    """Delete the record of a request, so that its Idempotency-Key may be used for another one."""
    await db.execute(
        delete(IdempotencyRecord).where(
            col(IdempotencyRecord.tenant_id) == record_key.tenant_id,
            col(IdempotencyRecord.route) == record_key.route,
            col(IdempotencyRecord.scope) == record_key.scope,
            col(IdempotencyRecord.idempotency_key) == record_key.idempotency_key,
            col(IdempotencyRecord.fingerprint) == fingerprint,
        )
    )
