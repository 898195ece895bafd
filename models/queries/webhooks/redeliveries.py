"""Makes deliveries pending again: one, or those of a range of time.

Rows are locked by ascending id. Rows of a range that another transaction has locked are left out,
so that two requests neither wait for each other nor deliver twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.session import WriteSession
from models.tables.webhook import WebhookEndpoint

_RANGE = text(
    """
    WITH failed AS (
        SELECT id, created_at FROM webhook_delivery
         WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id AND status = 'FAILED'
           AND created_at BETWEEN :since AND :until
         ORDER BY created_at, id LIMIT :most + 1
    ), succeeded AS (
        SELECT id, created_at FROM webhook_delivery
         WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id AND status = 'SUCCEEDED'
           AND created_at BETWEEN :since AND :until
         ORDER BY created_at, id LIMIT :most + 1
    ), oldest AS MATERIALIZED (
        SELECT id, created_at, row_number() OVER (ORDER BY created_at, id) AS place
          FROM (SELECT * FROM failed UNION ALL SELECT * FROM succeeded) ended
         ORDER BY created_at, id LIMIT :most + 1
    ), locked AS MATERIALIZED (
        SELECT id FROM webhook_delivery
         WHERE tenant_id = :tenant_id AND status <> 'PENDING'
           AND id IN (SELECT id FROM oldest WHERE place <= :most)
         ORDER BY id FOR UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE webhook_delivery delivery SET status = 'PENDING', attempts = 0, due_at = NULL
          FROM locked
         WHERE delivery.tenant_id = :tenant_id AND delivery.id = locked.id
        RETURNING delivery.id
    )
    SELECT COALESCE((SELECT array_agg(id) FROM changed), '{}') AS ids,
           (SELECT created_at FROM oldest WHERE place > :most) AS next_since
    """
)

# A pending delivery that is not due yet waits for its next attempt: nobody makes one now.
_ONE = text(
    """
    UPDATE webhook_delivery SET status = 'PENDING', attempts = 0, due_at = NULL
     WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id AND public_id = :public_id
       AND (status <> 'PENDING' OR due_at > :now)
    RETURNING id
    """
)

# The first event of each subject is due, unless an earlier one is pending. That one is locked, as
# in `record_webhook_event`: if it ends first, the subquery reads the next one, and so on. A
# later one that is due now has to wait: the worker finds that out before it sends.
_SET_DUE = text(
    """
    WITH lowest AS MATERIALIZED (
        SELECT DISTINCT ON (subject, subject_id) id, subject, subject_id, number
          FROM webhook_delivery
         WHERE tenant_id = :tenant_id AND id = ANY(CAST(:ids AS bigint[]))
         ORDER BY subject, subject_id, number, id
    ), first AS MATERIALIZED (
        SELECT id FROM (SELECT * FROM lowest ORDER BY id) one
         WHERE NOT EXISTS (
               SELECT FROM (SELECT FROM webhook_delivery earlier
                             WHERE earlier.tenant_id = :tenant_id
                               AND earlier.endpoint_id = :endpoint_id
                               AND earlier.subject = one.subject
                               AND earlier.subject_id = one.subject_id
                               AND earlier.status = 'PENDING'
                               AND (earlier.number, earlier.id) < (one.number, one.id)
                               FOR SHARE) pending)
    )
    UPDATE webhook_delivery delivery SET due_at = :now FROM first
     WHERE delivery.tenant_id = :tenant_id AND delivery.id = first.id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redelivered:
    """How many deliveries became pending, and where the next request goes on, if there are more."""

    count: int
    next_since: datetime | None


async def redeliver_range(
    db: WriteSession,
    endpoint: WebhookEndpoint,
    *,
    since: datetime,
    until: datetime,
    most: int,
    now: datetime,
) -> Redelivered:
    """Make the oldest `most` ended deliveries of a range pending again; both ends are included."""
    owner = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id}
    bounds = {"since": since, "until": until, "most": most}
    row = (await db.execute(_RANGE, {**owner, **bounds})).one()
    await _set_due(db, endpoint, row.ids, now)
    return Redelivered(count=len(row.ids), next_since=row.next_since)


async def redeliver_one(
    db: WriteSession, endpoint: WebhookEndpoint, public_id: int, now: datetime
) -> None:
    """Make one delivery pending again, or due if it waits for its next attempt.

    One that is due, or waits for an earlier event of its subject, is unchanged.
    """
    owner = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id}
    ids = list(await db.scalars(_ONE, {**owner, "public_id": public_id, "now": now}))
    await _set_due(db, endpoint, ids, now)


async def _set_due(
    db: WriteSession, endpoint: WebhookEndpoint, ids: Sequence[int], now: datetime
) -> None:
    """Make the first of these deliveries of each subject due, unless an earlier one is pending."""
    if not ids:
        return
    owner = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id}
    await db.execute(_SET_DUE, {**owner, "ids": list(ids), "now": now})
