"""Deliveries are kept for 30 days, those of deleted endpoints are deleted at once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from activities.system.expired_records import DeletedEndpoints, ExpiredDeliveries
from cli.dev.postgres import EmbeddedPostgres
from models.enums import AlertSeverity, AlertType, WebhookDeliveryStatus
from models.queries.alerts.alerts import raise_alert
from models.queries.webhooks.expired_deliveries import KEPT_FOR
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner, unique
from tests.stack import async_url, make_database
from tests.webhooks.harness import EndpointHarness, make_harness

PENDING, SUCCEEDED, FAILED = WebhookDeliveryStatus
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database without other tests' rows: deliveries are deleted for all tenants at once."""
    url = make_database(postgres, unique("deliveries").replace("-", "_"))
    database = Database(async_url(url), pool_size=5, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


@pytest.fixture
async def harness(alone: Database) -> EndpointHarness:
    return await make_harness(alone, await make_owner(alone), "https://example.com/hook")


async def age(harness: EndpointHarness, by: timedelta, status: str) -> None:
    """Make all deliveries so old, with this status."""
    await harness.write(
        "UPDATE webhook_delivery SET created_at = :at, status = CAST(:status AS varchar),"
        " due_at = CASE WHEN CAST(:status AS varchar) = 'PENDING' THEN due_at END"
        " WHERE tenant_id = :tenant AND endpoint_id = :endpoint",
        at=datetime.now(UTC) - by,
        status=status,
    )


@pytest.mark.parametrize("status", [SUCCEEDED, FAILED])
async def test_a_delivery_is_deleted_after_thirty_days(
    harness: EndpointHarness, alone: Database, status: WebhookDeliveryStatus
) -> None:
    await harness.message("SENDING", "SENT")
    await age(harness, KEPT_FOR + MINUTE, status)
    await harness.message()
    await harness.write(
        "UPDATE webhook_delivery SET created_at = :at"
        " WHERE tenant_id = :tenant AND endpoint_id = :endpoint AND status = 'PENDING'",
        at=datetime.now(UTC) - KEPT_FOR + MINUTE,
    )
    assert await ExpiredDeliveries(alone).delete(datetime.now(UTC), 100) == 2
    assert [d.status for d in await harness.deliveries()] == [PENDING]
    assert await ExpiredDeliveries(alone).delete(datetime.now(UTC), 100) == 0
    assert timedelta(days=30) == KEPT_FOR


async def test_a_pending_one_ends_first_and_the_next_event_is_due(
    harness: EndpointHarness, alone: Database
) -> None:
    message = await harness.message()
    await age(harness, KEPT_FOR + MINUTE, PENDING)
    await harness.write(
        "UPDATE message SET status = 'CANCELED' WHERE tenant_id = :tenant AND id = :message"
        " AND :endpoint > 0",
        message=message,
    )
    assert [d.due_at is not None for d in await harness.deliveries()] == [True, False]
    assert await ExpiredDeliveries(alone).delete(datetime.now(UTC), 100) == 1
    (left,) = await harness.deliveries()
    assert (left.status, left.due_at is not None, left.type) == (PENDING, True, "message.canceled")


async def test_a_turn_is_bounded(harness: EndpointHarness, alone: Database) -> None:
    for _ in range(5):
        await harness.message()
    await age(harness, KEPT_FOR + MINUTE, SUCCEEDED)
    assert [await ExpiredDeliveries(alone).delete(datetime.now(UTC), 2) for _ in range(4)] == [
        *(2, 2, 1, 0)
    ]


async def test_a_deleted_endpoint_is_deleted_after_its_deliveries(
    harness: EndpointHarness, alone: Database
) -> None:
    for _ in range(5):
        await harness.message()
    now = datetime.now(UTC)
    async with alone.transaction() as db:
        await raise_alert(
            db,
            tenant_id=harness.owner.tenant_id,
            type=AlertType.WEBHOOK_FAILING,
            severity=AlertSeverity.WARNING,
            message="It fails.",
            subject=str(harness.endpoint.public_id),
            now=now,
        )
    await harness.set(active=False, deleted_at=now - timedelta(minutes=9))
    assert await DeletedEndpoints(alone).delete(now, 3) == 0
    later = now + 2 * MINUTE
    assert [await DeletedEndpoints(alone).delete(later, 3) for _ in range(3)] == [3, 3, 0]
    async with alone.read() as db:
        assert await db.scalar(text("SELECT count(*) FROM webhook_endpoint")) == 0
        assert await db.scalar(text("SELECT count(*) FROM webhook_delivery")) == 0
    assert [is_open for *_, is_open in await harness.alerts()] == [False]


async def test_a_locked_endpoint_is_left_for_the_next_turn(
    harness: EndpointHarness, alone: Database
) -> None:
    await harness.message()
    await harness.set(active=False, deleted_at=datetime.now(UTC) - timedelta(hours=1))
    async with alone.transaction() as db:
        await db.execute(text("SELECT 1 FROM webhook_endpoint FOR KEY SHARE"))
        assert await DeletedEndpoints(alone).delete(datetime.now(UTC), 3) == 0
    assert await DeletedEndpoints(alone).delete(datetime.now(UTC), 3) == 1
