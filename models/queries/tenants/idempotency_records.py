"""Stored answers of requests with an Idempotency-Key, their locks and their deletion."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, text
from sqlmodel import col

from models.database.limits import KEY_WAIT
from models.session import ReadSession, WriteSession
from models.tables.idempotency import IdempotencyRecord

# A request with the same key waits longer than for any other lock. Each part reads from the
# previous one, so that they run in this order.
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
    """Identity of a record: an Idempotency-Key on one route, in one scope of a tenant."""

    tenant_id: int
    route: str
    """Method and path template."""
    scope: str
    idempotency_key: str


async def lock_record(db: WriteSession, record_key: RecordKey) -> None:
    """Lock a record until the transaction ends; waits for other transactions that hold it."""
    name = "\x1f".join(
        (
            "idempotency",
            str(record_key.tenant_id),
            record_key.route,
            record_key.scope,
            record_key.idempotency_key,
        )
    )
    await lock_name(db, name)


async def lock_name(db: WriteSession, name: str) -> None:
    """Lock a name until the transaction ends; waits as long as for an Idempotency-Key."""
    await db.execute(_LOCK, {"name": name, "patience": f"{KEY_WAIT.total_seconds()}s"})


async def find_record(db: WriteSession, record_key: RecordKey) -> IdempotencyRecord | None:
    """Return the record; None if there is none."""
    return await db.get(
        IdempotencyRecord,
        (record_key.tenant_id, record_key.route, record_key.scope, record_key.idempotency_key),
    )


# Each part by a unique index; without an operation the last three find nothing.
_USED = text(
    """
    SELECT fingerprint FROM idempotency_record
     WHERE tenant_id = :tenant_id AND route = :route AND scope = :scope
       AND idempotency_key = :idempotency_key
    UNION ALL
    SELECT fingerprint FROM message
     WHERE tenant_id = :tenant_id AND operation = :operation AND scope = :scope
       AND idempotency_key = :idempotency_key
    UNION ALL
    SELECT fingerprint FROM payment
     WHERE tenant_id = :tenant_id AND operation = :operation AND scope = :scope
       AND idempotency_key = :idempotency_key
    UNION ALL
    SELECT fingerprint FROM batch
     WHERE tenant_id = :tenant_id AND :operation = 'send-batch' AND scope = :scope
       AND idempotency_key = :idempotency_key
     LIMIT 1
    """
)


async def find_used(db: ReadSession, record_key: RecordKey, operation: str | None) -> str | None:
    """Return the fingerprint of the request that a key was used for; None if it was not used.

    Args:
        record_key: the key on its route.
        operation: what rows of this route's action keep their keys under, if they have any.
    """
    found: str | None = await db.scalar(_USED, {**asdict(record_key), "operation": operation})
    return found


async def add_record(
    db: WriteSession,
    record_key: RecordKey,
    *,
    fingerprint: str,
    answer: dict[str, Any],
    now: datetime,
) -> None:
    """Store an answer."""
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
    """Delete the record of a request, so that its Idempotency-Key can be used again."""
    await db.execute(
        delete(IdempotencyRecord).where(
            col(IdempotencyRecord.tenant_id) == record_key.tenant_id,
            col(IdempotencyRecord.route) == record_key.route,
            col(IdempotencyRecord.scope) == record_key.scope,
            col(IdempotencyRecord.idempotency_key) == record_key.idempotency_key,
            col(IdempotencyRecord.fingerprint) == fingerprint,
        )
    )


# By `ix_idempotency_record_age`. Keys of upgrades are known as long as their payment: a key that
# named an existing reference stands here alone, and must not charge once that payment has failed.
# Rows that another transaction has locked are left for a later
# turn, so that two workers never wait for each other.
_DELETE_OLD = text(
    """
    WITH old AS MATERIALIZED (
        SELECT tenant_id, route, scope, idempotency_key FROM idempotency_record
         WHERE created_at < :before AND route <> 'POST /api/v1/billing/upgrade'
         ORDER BY created_at LIMIT :most
           FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM idempotency_record
         WHERE (tenant_id, route, scope, idempotency_key)
               IN (SELECT tenant_id, route, scope, idempotency_key FROM old)
        RETURNING 1
    )
    SELECT count(*) FROM deleted
    """
)


async def delete_records_before(db: WriteSession, before: datetime, *, most: int) -> int:
    """Delete the oldest records that were stored before a time; return how many were deleted."""
    return int(await db.scalar(_DELETE_OLD, {"before": before, "most": most}) or 0)
