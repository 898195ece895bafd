"""What a worker writes about deliveries, by its own statements, for tests without a worker."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from models.enums import WebhookDeliveryStatus, WebhookSubject
from models.queries.webhooks import deliveries_due, delivery_outcomes
from models.queries.webhooks.deliveries_due import EndpointKey, PendingDelivery
from models.queries.webhooks.delivery_outcomes import Outcome
from models.session import Database

_RETRIED_AFTER: Final = timedelta(hours=1)
_DELIVERY: Final = text(
    "SELECT tenant_id, endpoint_id, id AS delivery_id, subject, subject_id, attempts"
    "  FROM webhook_delivery WHERE public_id = :id"
)
_ENDPOINT: Final = text(
    "SELECT tenant_id, id AS endpoint_id, public_id FROM webhook_endpoint WHERE public_id = :id"
)


async def end(database: Database, delivery_id: str, status: str) -> None:
    """Write the outcome of an attempt; PENDING means another one in an hour."""
    delivery, now = await _pending(database, delivery_id), datetime.now(UTC)
    outcome = Outcome(
        status=WebhookDeliveryStatus(status),
        attempts=delivery.attempts + 1,
        due_at=now + _RETRIED_AFTER if status == WebhookDeliveryStatus.PENDING else None,
        attempted_at=now,
    )
    async with database.transaction() as db:
        await delivery_outcomes.conclude(db, delivery, outcome, now=now)


async def let_wait(database: Database, delivery_id: str) -> None:
    """Make a delivery wait for an earlier one of its subject."""
    delivery = await _pending(database, delivery_id)
    async with database.transaction() as db:
        await deliveries_due.let_wait(db, delivery=delivery)


async def fail_pending(database: Database, webhook_id: str) -> None:
    """Fail what is pending at an inactive endpoint."""
    key = EndpointKey(**await _row(database, _ENDPOINT, webhook_id))
    async with database.read() as db:
        endpoint = await deliveries_due.find_endpoint(db, key)
    assert endpoint is not None
    failed = 1
    while failed:
        async with database.transaction() as db:
            failed = await delivery_outcomes.fail_pending(db, endpoint, most=500)


async def _pending(database: Database, delivery_id: str) -> PendingDelivery:
    row = await _row(database, _DELIVERY, delivery_id)
    return PendingDelivery(**{**row, "subject": WebhookSubject(row["subject"])})


async def _row(database: Database, statement: Any, public_id: str) -> dict[str, Any]:
    async with database.read() as db:
        found = (await db.execute(statement, {"id": int(public_id)})).one()
    return dict(found._mapping)
