"""The body of an event holds the view that the API gave when it happened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.services.messages.views import message_views
from models.enums import (
    AlertSeverity,
    AlertType,
    Channel,
    ErrorCode,
    InboundKind,
    PaymentStatus,
    ReportStatus,
    WebhookEventType,
)
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.billing.day_closing import close_day
from models.queries.billing.upgrades import payments
from models.queries.billing.upgrades.payment_rows import get_payment
from models.queries.webhooks.subjects import find_messages
from models.session import Database
from models.tables.inbound import InboundMessage
from models.tables.usage import UsageDay
from tests.activities.doubles import AMBIGUOUS, Scripted
from tests.activities.harness import Harness
from tests.contacts import key_of
from tests.factories import Owner, make_message, make_paid, new_message
from tests.webhooks.endpoints import deliveries_of, make_endpoint
from tests.webhooks.rendering import events_of, rendered
from workflows.messages.types import Ending

NOW = datetime(2026, 11, 30, 14, 20, tzinfo=UTC)
MESSAGE_EVENTS = [type for type in WebhookEventType if type.startswith("message.")]


async def view_now(database: Database, owner: Owner, message_id: int) -> Any:
    """Return the view of a message that the API gives now."""
    async with database.read() as db:
        found = await find_messages(db, owner.tenant_id, [message_id])
        (view,) = await message_views(db, owner.tenant_id, [found[message_id]])
    return view.model_dump(mode="json")


async def test_each_event_of_a_message_shows_it_as_it_was(database: Database, owner: Owner) -> None:
    endpoint = await make_endpoint(database, owner)
    harness = Harness(database, owner, Scripted())
    message = await harness.accept(units=3)
    views = [await view_now(database, owner, message)]
    await harness.dispatch(message)
    views.append(await view_now(database, owner, message))
    await harness.tell(message, ReportStatus.DELIVERED)
    await harness.settle(message, Ending.REPORTED)
    views.append(await view_now(database, owner, message))
    events = await events_of(database, endpoint)
    assert [event["type"] for event in events] == [
        "message.accepted",
        "message.sent",
        "message.delivered",
    ]
    assert [view["status"] for view in views] == ["QUEUED", "SENT", "DELIVERED"]
    assert [event["data"] for event in events] == views
    assert len({event["id"] for event in events}) == 3
    assert all(int(event["id"]) < 2**52 for event in events)


async def test_a_clock_of_postgres_that_is_behind_hides_nothing(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    harness = Harness(database, owner, Scripted())
    message = await harness.accept()
    await harness.dispatch(message)
    sent = await view_now(database, owner, message)
    await harness.tell(message, ReportStatus.DELIVERED)
    await harness.settle(message, Ending.REPORTED)
    delivered = await view_now(database, owner, message)
    deliveries = await deliveries_of(database, endpoint)
    for delivery in deliveries:
        delivery.created_at -= timedelta(seconds=1)
    _, *bodies = await rendered(database, deliveries)
    assert [body["data"] for body in bodies] == [sent, delivered]


async def test_an_unknown_end_and_its_correction_are_told_apart(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner, events=MESSAGE_EVENTS)
    harness = Harness(database, owner, Scripted(AMBIGUOUS))
    message = await harness.accept()
    await harness.dispatch(message)
    await harness.settle(message, Ending.GIVEN_UP)
    unknown = await view_now(database, owner, message)
    await harness.tell(message, ReportStatus.DELIVERED)
    await harness.settle(message, Ending.REPORTED)
    delivered = await view_now(database, owner, message)
    accepted, *ends = await events_of(database, endpoint)
    assert accepted["data"]["status"] == "QUEUED"
    assert accepted["data"]["attempts"] == 0
    assert [event["type"] for event in ends] == ["message.unknown", "message.delivered"]
    assert ends[0]["data"]["status"] == unknown["status"] == "UNKNOWN"
    assert ends[0]["data"]["completedAt"] == unknown["completedAt"]
    assert ends[1]["data"] == delivered


async def test_a_blocked_message_tells_why_it_failed(database: Database, owner: Owner) -> None:
    endpoint = await make_endpoint(database, owner, events=[WebhookEventType.MESSAGE_FAILED])
    harness = Harness(database, owner, Scripted())
    message = await harness.accept()
    await harness.settle(message, Ending.BLOCKED, ErrorCode.EXPIRED)
    (event,) = await events_of(database, endpoint)
    assert event["data"] == await view_now(database, owner, message)
    assert (event["data"]["errorCode"], event["data"]["billedUnits"]) == ("EXPIRED", 0)


async def test_an_inbound_text_is_told_with_its_text(database: Database, owner: Owner) -> None:
    endpoint = await make_endpoint(database, owner, merchant_id=owner.merchant_id)
    of_tenant = await make_endpoint(database, owner)
    for merchant, body in ((owner.merchant_id, "Where are you?"), (None, "STOP\x7f")):
        async with database.transaction() as db:
            db.add(
                InboundMessage(
                    tenant_id=owner.tenant_id,
                    merchant_id=merchant,
                    provider="simulator",
                    event_id=body,
                    kind=InboundKind.OTHER,
                    sender="+18135551234",
                    contact_key=key_of("+18135551234"),
                    number=owner.sender,
                    body=body,
                    sent_at=NOW,
                    received_at=NOW,
                )
            )
    (event,) = await events_of(database, endpoint)
    assert event["type"] == "message.inbound"
    assert event["data"]["from"] == "+18135551234"
    assert event["data"]["body"] == "Where are you?"
    assert event["data"]["merchantId"] == owner.merchant
    assert [e["data"]["body"] for e in await events_of(database, of_tenant)] == [
        "Where are you?",
        "STOP\x7f",
    ]
    assert all(not delivery.state for delivery in await deliveries_of(database, of_tenant))


async def test_an_alert_is_told_when_it_is_raised_and_when_it_is_resolved(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    facts: dict[str, Any] = {
        "tenant_id": owner.tenant_id,
        "merchant_id": owner.merchant_id,
        "channel": Channel.SMS,
        "type": AlertType.LOW_CREDITS,
        "now": NOW,
    }
    for message in ("9 of 100 remain.", "8 of 100 remain."):
        async with database.transaction() as db:
            await raise_alert(
                db, **facts, threshold=10, severity=AlertSeverity.WARNING, message=message
            )
    async with database.transaction() as db:
        await resolve_alerts(db, **facts)
    raised, resolved = await events_of(database, endpoint)
    assert (raised["type"], resolved["type"]) == ("alert.raised", "alert.resolved")
    assert raised["data"]["message"] == "9 of 100 remain."
    assert (raised["data"]["count"], raised["data"]["resolvedAt"]) == (1, None)
    assert (resolved["data"]["count"], resolved["data"]["id"]) == (2, raised["data"]["id"])
    assert resolved["data"]["resolvedAt"] is not None


async def test_a_closed_day_is_told_unless_it_is_empty_and_before_the_tenant(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    of_merchant = await make_endpoint(database, owner, merchant_id=owner.merchant_id)
    today = datetime.now(UTC).date()
    day, before = today - timedelta(days=1), today - timedelta(days=2)
    async with database.transaction() as db:
        for merchant, channel in (
            (0, Channel.EMAIL),
            (owner.merchant_id, Channel.SMS),
            (owner.merchant_id, Channel.VOICE),
        ):
            db.add(
                UsageDay(
                    tenant_id=owner.tenant_id,
                    day=day,
                    merchant_id=merchant,
                    channel=channel,
                    messages=1,
                )
            )
    for closed in (day, before, today, day):
        async with database.transaction() as db:
            assert await close_day(db, tenant_id=owner.tenant_id, day=closed, now=NOW) is None
    events = await events_of(database, endpoint)
    assert [event["type"] for event in events] == ["usage.finalized"] * 2
    assert [event["data"] for event in events] == [
        {"day": day.isoformat(), "merchants": [owner.merchant], "merchantCount": 1},
        {"day": today.isoformat(), "merchants": [], "merchantCount": 0},
    ]
    assert not await deliveries_of(database, of_merchant)


async def test_an_upgrade_has_succeeded_once_its_credits_are_granted(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    async with database.transaction() as db:
        bought = await make_paid(db, owner.tenant_id, owner.merchant_id, 70, fulfilled=False)
    assert not await deliveries_of(database, endpoint)
    for _ in range(2):
        async with database.transaction() as db:
            payment = await get_payment(db, owner.tenant_id, bought, locked=True)
            await payments.grant(db, payment, NOW)
    (event,) = await events_of(database, endpoint)
    assert event["type"] == "upgrade.succeeded"
    assert event["data"]["paymentStatus"] == "SUCCEEDED"
    assert event["data"]["fulfilled"] is True
    assert event["data"]["remainingCredits"] == 70


@pytest.mark.parametrize("status", [PaymentStatus.FAILED, PaymentStatus.REFUNDED])
async def test_an_upgrade_without_credits_has_failed(
    database: Database, owner: Owner, status: PaymentStatus
) -> None:
    endpoint = await make_endpoint(database, owner)
    async with database.transaction() as db:
        bought = await make_paid(db, owner.tenant_id, owner.merchant_id, 70, fulfilled=False)
        await db.execute(
            text(
                "UPDATE payment SET status = :status, refund_due_at = :now, refunded_at = :refunded"
                " WHERE tenant_id = :t AND id = :id"
            ),
            {
                "status": status,
                "now": NOW,
                "refunded": NOW if status is PaymentStatus.REFUNDED else None,
                "t": owner.tenant_id,
                "id": bought,
            },
        )
    (event,) = await events_of(database, endpoint)
    assert event["type"] == "upgrade.failed"
    assert (event["data"]["paymentStatus"], event["data"]["fulfilled"]) == (status, False)


async def test_bodies_keep_the_order_of_events_of_different_kinds(
    database: Database, owner: Owner
) -> None:
    endpoint = await make_endpoint(database, owner)
    await make_message(database, new_message(owner))
    async with database.transaction() as db:
        await raise_alert(
            db,
            tenant_id=owner.tenant_id,
            type=AlertType.SPENDING_LIMIT,
            severity=AlertSeverity.WARNING,
            message="80 % of the limit.",
            now=NOW,
        )
    await make_message(database, new_message(owner))
    events = await events_of(database, endpoint)
    assert [event["type"] for event in events] == [
        "message.accepted",
        "alert.raised",
        "message.accepted",
    ]
    assert events[1]["data"]["merchantId"] is None
