"""Writes what became of a delivery, and what it says about its endpoint."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from models.enums import WebhookDeliveryError, WebhookDeliveryStatus, WebhookDisabledReason
from models.queries.webhooks.deliveries_due import Endpoint, PendingDelivery
from models.queries.webhooks.failing_alerts import resolve_failing
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one attempt, or of a delivery that could not be attempted.

    `due_at` is the time of the next attempt; it is given if and only if the status is PENDING.
    """

    status: WebhookDeliveryStatus
    attempts: int
    due_at: datetime | None = None
    attempted_at: datetime | None = None
    status_code: int | None = None
    error: str | None = None
    duration_ms: int | None = None
    response: str | None = field(default=None, repr=False)


# The number of attempts makes it idempotent: of two workers that made the same attempt, one counts.
_CONCLUDE: Final = text(
    """
    UPDATE webhook_delivery
       SET status = :status, attempts = :attempts, due_at = :due_at,
           last_attempt_at = COALESCE(:attempted_at, last_attempt_at),
           last_status_code = :status_code, last_error = :error,
           last_duration_ms = :duration_ms, last_response = :response
     WHERE tenant_id = :tenant_id AND id = :id AND status = 'PENDING' AND attempts = :known_attempts
    RETURNING 1
    """
)

# A statement of its own: its snapshot contains the row of a transaction that held the lock on the
# row that ended (decision 73).
_NEXT_OF_SUBJECT: Final = text(
    """
    UPDATE webhook_delivery SET due_at = :now
     WHERE tenant_id = :tenant_id AND due_at IS NULL AND status = 'PENDING'
       AND id = (SELECT id FROM webhook_delivery
                  WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id
                    AND subject = :subject AND subject_id = :subject_id AND status = 'PENDING'
                  ORDER BY number, id LIMIT 1)
    """
)


async def conclude(
    db: WriteSession, delivery: PendingDelivery, outcome: Outcome, *, now: datetime
) -> bool:
    """Write an outcome; once the delivery has ended, the next one of its subject is due.

    To be called in a transaction of its own, so that no two deliveries are locked in different
    orders. Returns False if another worker has written an outcome before.
    """
    written = await db.scalar(
        _CONCLUDE,
        {
            "tenant_id": delivery.tenant_id,
            "id": delivery.delivery_id,
            "known_attempts": delivery.attempts,
            "status": outcome.status,
            "attempts": outcome.attempts,
            "due_at": outcome.due_at,
            "attempted_at": outcome.attempted_at,
            "status_code": outcome.status_code,
            "error": outcome.error,
            "duration_ms": outcome.duration_ms,
            "response": outcome.response,
        },
    )
    if written and outcome.status is not WebhookDeliveryStatus.PENDING:
        await db.execute(
            _NEXT_OF_SUBJECT,
            {
                "tenant_id": delivery.tenant_id,
                "endpoint_id": delivery.endpoint_id,
                "subject": delivery.subject,
                "subject_id": delivery.subject_id,
                "now": now,
            },
        )
    return bool(written)


# The endpoint is locked first: once it is active again, nothing fails any more. Deliveries that
# wait for an earlier one come first (descending, so nulls are first): if the endpoint becomes
# active between two batches, none is left waiting for one that has failed. Rows that are locked are
# skipped, so that this never waits while it holds rows that a transaction which records events may
# wait for.
_FAIL_PENDING: Final = text(
    f"""
    WITH inactive AS MATERIALIZED (
        SELECT FROM webhook_endpoint
         WHERE tenant_id = :tenant_id AND id = :endpoint_id AND NOT active
           FOR SHARE
    ), pending AS MATERIALIZED (
        SELECT id FROM webhook_delivery
         WHERE EXISTS (SELECT FROM inactive)
           AND tenant_id = :tenant_id AND endpoint_id = :endpoint_id AND status = 'PENDING'
         ORDER BY due_at DESC, id DESC LIMIT :most FOR UPDATE SKIP LOCKED
    ), failed AS (
        UPDATE webhook_delivery
           SET status = '{WebhookDeliveryStatus.FAILED}', due_at = NULL,
               last_error = '{WebhookDeliveryError.ENDPOINT_NOT_ACTIVE}'
         WHERE tenant_id = :tenant_id AND id IN (SELECT id FROM pending)
        RETURNING 1
    )
    SELECT count(*) FROM failed
    """  # noqa: S608 - values of enums
)

_ANY_PENDING: Final = text(
    """
    SELECT EXISTS (SELECT FROM webhook_delivery
                    WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id
                      AND status = 'PENDING')
    """
)


async def fail_pending(db: WriteSession, endpoint: Endpoint, *, most: int) -> int:
    """Fail deliveries of an endpoint, unless it is active again; return how many.

    0 does not mean that none is left: see `any_pending`. Lock order: the endpoint, then deliveries.
    """
    return int(await db.scalar(_FAIL_PENDING, {**_of(endpoint), "most": most}) or 0)


async def any_pending(db: ReadSession, endpoint: Endpoint) -> bool:
    """Return whether a delivery is pending, also one that another transaction has locked."""
    return bool(await db.scalar(_ANY_PENDING, _of(endpoint)))


_FAILED: Final = text(
    """
    UPDATE webhook_endpoint
       SET failures = failures + 1, failing_since = COALESCE(failing_since, :now), concurrency = 1
     WHERE tenant_id = :tenant_id AND id = :endpoint_id AND url = :url
    RETURNING failures, failing_since
    """
)

_SUCCEEDED: Final = text(
    """
    UPDATE webhook_endpoint SET failures = 0, failing_since = NULL
     WHERE tenant_id = :tenant_id AND id = :endpoint_id
       AND (failures > 0 OR failing_since IS NOT NULL)
    """
)

_DISABLE: Final = text(
    """
    UPDATE webhook_endpoint
       SET active = FALSE, disabled_reason = :reason, disabled_at = :now, updated_at = :now
     WHERE tenant_id = :tenant_id AND id = :endpoint_id AND active
    RETURNING 1
    """
)

_SET_CONCURRENCY: Final = text(
    """
    UPDATE webhook_endpoint SET concurrency = :concurrency
     WHERE tenant_id = :tenant_id AND id = :endpoint_id AND concurrency <> :concurrency
    """
)


def _of(endpoint: Endpoint) -> dict[str, Any]:
    return {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.endpoint_id}


async def note_failure(
    db: WriteSession, endpoint: Endpoint, now: datetime
) -> tuple[int, datetime] | None:
    """Count a failed attempt; return how many there are since the last success, and since when.

    None if the endpoint's row is gone, or it has another URL since. Lock order: the endpoint, then
    its alert; no delivery.
    """
    values = {**_of(endpoint), "url": endpoint.url, "now": now}
    row = (await db.execute(_FAILED, values)).one_or_none()
    return None if row is None else (row.failures, row.failing_since)


async def note_success(db: WriteSession, endpoint: Endpoint, now: datetime) -> None:
    """Forget failed attempts, and resolve the endpoint's alert."""
    await db.execute(_SUCCEEDED, _of(endpoint))
    await resolve_failing(
        db,
        tenant_id=endpoint.tenant_id,
        merchant_id=endpoint.merchant_id,
        public_id=endpoint.public_id,
        now=now,
    )


async def disable(
    db: WriteSession, endpoint: Endpoint, reason: WebhookDisabledReason, now: datetime
) -> bool:
    """Make an endpoint inactive; False if it was not active any more."""
    values = {**_of(endpoint), "reason": reason, "now": now}
    return bool(await db.scalar(_DISABLE, values))


async def set_concurrency(db: WriteSession, endpoint: Endpoint, concurrency: int) -> None:
    """Store how many deliveries may be in flight at once."""
    await db.execute(_SET_CONCURRENCY, {**_of(endpoint), "concurrency": concurrency})
