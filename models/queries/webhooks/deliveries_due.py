"""Reads an endpoint and the deliveries that are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from models.enums import AlertType, WebhookEventType, WebhookSubject
from models.queries.webhooks.events import StoredEvent
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointKey:
    """An endpoint, by row id and, for what others see, by public id."""

    tenant_id: int
    endpoint_id: int
    public_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What a delivery needs to know of its endpoint.

    `active` is False for a deleted one as well. `alerted` tells whether its alert is open.
    """

    tenant_id: int
    tenant_public_id: int
    endpoint_id: int
    public_id: int
    merchant_id: int
    url: str
    active: bool
    secret_version: int
    previous_secret_until: datetime | None
    failing_since: datetime | None
    failures: int
    concurrency: int
    alerted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDelivery:
    """A pending delivery: its row, its subject, and the attempts made so far."""

    tenant_id: int
    endpoint_id: int
    delivery_id: int
    subject: WebhookSubject
    subject_id: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDelivery:
    """A delivery to be attempted now.

    `blocked` means that an earlier event of its subject is pending, so it must wait: only a
    delivery that was requested again can be due nevertheless.
    """

    delivery: PendingDelivery
    event: StoredEvent
    blocked: bool


_KEEP_AWAKE_AFTER: Final = timedelta(seconds=30)
"""Well below `wake_ups.LOST_AFTER`."""

_FIND: Final = text(
    f"""
    SELECT e.tenant_id, tenant.public_id AS tenant_public_id, e.id AS endpoint_id, e.public_id,
           e.merchant_id, e.url, e.active AND e.deleted_at IS NULL AS active, e.secret_version,
           e.previous_secret_until, e.failing_since, e.failures, e.concurrency,
           EXISTS (SELECT FROM alert a
                    WHERE a.tenant_id = e.tenant_id AND a.merchant_id = e.merchant_id
                      AND a.channel = '' AND a.type = '{AlertType.WEBHOOK_FAILING}'
                      AND a.threshold = 0 AND a.subject = CAST(e.public_id AS text)
                      AND a.resolved_at IS NULL) AS alerted
      FROM webhook_endpoint e JOIN tenant ON tenant.id = e.tenant_id
     WHERE e.tenant_id = :tenant_id AND e.id = :endpoint_id
    """  # noqa: S608 - a value of an enum
)

# A row that is read while another transaction records a later event of its subject is attempted as
# usual; the two meet when it ends (`delivery_outcomes`).
_DUE: Final = text(
    """
    SELECT d.id, d.attempts, d.event_id, d.type, d.merchant_id, d.subject, d.subject_id, d.number,
           d.state, d.created_at,
           EXISTS (SELECT FROM webhook_delivery earlier
                    WHERE earlier.tenant_id = d.tenant_id AND earlier.endpoint_id = d.endpoint_id
                      AND earlier.subject = d.subject AND earlier.subject_id = d.subject_id
                      AND (earlier.number, earlier.id) < (d.number, d.id)
                      AND earlier.status = 'PENDING') AS blocked
      FROM webhook_delivery d
     WHERE d.tenant_id = :tenant_id AND d.endpoint_id = :endpoint_id
       AND d.status = 'PENDING' AND d.due_at <= :now
     ORDER BY d.due_at, d.id LIMIT :most
    """
)

# The lock has the same purpose as that of the trigger `record_webhook_event`: a delivery that ends
# at this moment sees that this row waits for it.
_LET_WAIT: Final = text(
    """
    UPDATE webhook_delivery d SET due_at = NULL
     WHERE d.tenant_id = :tenant_id AND d.id = :id
       AND d.status = 'PENDING'
       AND EXISTS (SELECT FROM (SELECT FROM webhook_delivery earlier
                    WHERE earlier.tenant_id = d.tenant_id AND earlier.endpoint_id = d.endpoint_id
                      AND earlier.subject = d.subject AND earlier.subject_id = d.subject_id
                      AND (earlier.number, earlier.id) < (d.number, d.id)
                      AND earlier.status = 'PENDING'
                      FOR SHARE) pending)
    """
)

_KEEP_AWAKE: Final = text(
    """
    UPDATE webhook_endpoint SET awake_since = clock_timestamp()
     WHERE tenant_id = :tenant_id AND id = :endpoint_id
       AND (awake_since IS NULL
            OR awake_since < clock_timestamp() - CAST(:at_most AS interval))
    """
)

# `awake_since` becomes null only in a statement that saw nothing due. What is committed after its
# snapshot is found by the next look for sleeping endpoints (`wake_ups`), because that sees both.
_REST: Final = text(
    """
    WITH upcoming AS MATERIALIZED (
        SELECT due_at FROM webhook_delivery
         WHERE tenant_id = :tenant_id AND endpoint_id = :endpoint_id AND status = 'PENDING'
           AND due_at IS NOT NULL
         ORDER BY due_at, id LIMIT 1
    ), rested AS (
        UPDATE webhook_endpoint SET awake_since = NULL
         WHERE tenant_id = :tenant_id AND id = :endpoint_id AND awake_since IS NOT NULL
           AND NOT EXISTS (SELECT FROM upcoming WHERE due_at <= :now)
    )
    SELECT due_at FROM upcoming
    """
)


def _of(key: EndpointKey) -> dict[str, Any]:
    return {"tenant_id": key.tenant_id, "endpoint_id": key.endpoint_id}


async def find_endpoint(db: ReadSession, key: EndpointKey) -> Endpoint | None:
    """Return an endpoint, also a deleted one; None if its row is gone."""
    row = (await db.execute(_FIND, _of(key))).one_or_none()
    return None if row is None else Endpoint(**row._mapping)


async def due_deliveries(
    db: ReadSession, key: EndpointKey, *, now: datetime, most: int
) -> Sequence[DueDelivery]:
    """Return deliveries of an endpoint that are due, the longest overdue first."""
    rows = await db.execute(_DUE, {**_of(key), "now": now, "most": most})
    return [
        DueDelivery(
            delivery=PendingDelivery(
                tenant_id=key.tenant_id,
                endpoint_id=key.endpoint_id,
                delivery_id=row.id,
                subject=WebhookSubject(row.subject),
                subject_id=row.subject_id,
                attempts=row.attempts,
            ),
            blocked=row.blocked,
            event=StoredEvent(
                tenant_id=key.tenant_id,
                event_id=row.event_id,
                type=WebhookEventType(row.type),
                merchant_id=row.merchant_id,
                subject=WebhookSubject(row.subject),
                subject_id=row.subject_id,
                number=row.number,
                state=row.state,
                created_at=row.created_at,
            ),
        )
        for row in rows
    ]


async def let_wait(db: WriteSession, *, delivery: PendingDelivery) -> None:
    """Make a due delivery wait for the earlier ones of its subject.

    To be called in a transaction of its own, like `delivery_outcomes.conclude`.
    """
    values = {"tenant_id": delivery.tenant_id, "id": delivery.delivery_id}
    await db.execute(_LET_WAIT, values)


async def keep_awake(db: WriteSession, key: EndpointKey) -> None:
    """Note that the endpoint's workflow looks for deliveries now; rarely writes."""
    await db.execute(_KEEP_AWAKE, {**_of(key), "at_most": _KEEP_AWAKE_AFTER})


async def rest(db: WriteSession, key: EndpointKey, *, now: datetime) -> datetime | None:
    """Note that the endpoint's workflow stops looking, unless a delivery is due.

    Returns when the next delivery is due, which may be in the past; None if none is scheduled.
    """
    found: datetime | None = await db.scalar(_REST, {**_of(key), "now": now})
    return found
