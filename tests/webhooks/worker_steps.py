"""What a worker writes about deliveries, in SQL, for tests without a worker."""

from sqlalchemy import text

from models.session import Database

_END = text(
    """
    UPDATE webhook_delivery
       SET status = CAST(:status AS text), attempts = attempts + 1,
           last_attempt_at = clock_timestamp(),
           due_at = CASE WHEN CAST(:status AS text) = 'PENDING'
                         THEN clock_timestamp() + interval '1 hour' END
     WHERE public_id = :id AND status = 'PENDING'
    """
)
_NEXT = text(
    """
    UPDATE webhook_delivery delivery SET due_at = clock_timestamp()
      FROM webhook_delivery ended
     WHERE ended.public_id = :id AND delivery.due_at IS NULL AND delivery.status = 'PENDING'
       AND delivery.id = (
           SELECT id FROM webhook_delivery one
            WHERE one.tenant_id = ended.tenant_id AND one.endpoint_id = ended.endpoint_id
              AND one.subject = ended.subject AND one.subject_id = ended.subject_id
              AND one.status = 'PENDING'
            ORDER BY number, id LIMIT 1)
    """
)
_LET_WAIT = text("UPDATE webhook_delivery SET due_at = NULL WHERE public_id = :id")
_FAIL_PENDING = text(
    """
    UPDATE webhook_delivery delivery
       SET status = 'FAILED', due_at = NULL, last_error = 'ENDPOINT_NOT_ACTIVE'
      FROM webhook_endpoint endpoint
     WHERE endpoint.public_id = :id AND NOT endpoint.active
       AND delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id
       AND delivery.status = 'PENDING'
    """
)


async def end(database: Database, delivery_id: str, status: str) -> None:
    """Write the outcome of an attempt; PENDING means another one in an hour."""
    async with database.transaction() as db:
        await db.execute(_END, {"id": int(delivery_id), "status": status})
        if status != "PENDING":
            await db.execute(_NEXT, {"id": int(delivery_id)})


async def let_wait(database: Database, delivery_id: str) -> None:
    """Make a delivery wait for an earlier one of its subject."""
    async with database.transaction() as db:
        await db.execute(_LET_WAIT, {"id": int(delivery_id)})


async def fail_pending(database: Database, webhook_id: str) -> None:
    """Fail what is pending at an inactive endpoint."""
    async with database.transaction() as db:
        await db.execute(_FAIL_PENDING, {"id": int(webhook_id)})
