"""Alerts through the API."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.enums import AlertSeverity, AlertType, Channel, MessageStatus
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.messages import settlement, settlement_facts
from models.rules.billing.periods import day_of
from models.rules.messages.settlement import End
from models.session import Database
from tests.api.integrator import GYM, SMS, Integrator, make_merchant
from tests.factories import claim_once
from tests.shown_ids import row_of

NOON = datetime(2026, 4, 16, 12, tzinfo=UTC)


async def warn(
    database: Database,
    tenant_id: int,
    merchant_id: int = 0,
    *,
    type: AlertType = AlertType.PROVIDER_DEGRADED,
    channel: Channel | None = None,
    at: datetime = NOON,
    **facts: Any,
) -> None:
    async with database.transaction() as db:
        await raise_alert(
            db,
            tenant_id=tenant_id,
            merchant_id=merchant_id,
            type=type,
            channel=channel,
            severity=AlertSeverity.WARNING,
            message="In words.",
            now=at,
            **facts,
        )


async def deliver(database: Database, tenant_id: int, message_id: int) -> None:
    """End a message with its units captured."""
    now = datetime.now(UTC)
    async with database.transaction() as db:
        await claim_once(db, tenant_id, message_id, now)
        message = await settlement_facts.lock_for_settlement(
            db, tenant_id=tenant_id, message_id=message_id
        )
        assert message is not None
        end = End(status=MessageStatus.DELIVERED, captured=1, provider="p", day=day_of(now))
        assert await settlement.end_message(db, message, end, now)


async def types(integrator: Integrator, **query: str) -> list[str]:
    answer = await integrator.get("/alerts", **query)
    assert answer.status_code == 200, answer.text
    return [alert["type"] for alert in answer.json()]


async def test_an_alert_is_shown_whole(integrator: Integrator, database: Database) -> None:
    merchant = await make_merchant(database, integrator.tenant_id)
    for minutes in (0, 5):
        await warn(
            database,
            integrator.tenant_id,
            merchant,
            type=AlertType.USAGE_THRESHOLD,
            channel=Channel.SMS,
            threshold=80,
            at=NOON + timedelta(minutes=minutes),
        )
    (shown,) = (await integrator.get("/alerts")).json()
    assert shown.pop("id").isdecimal()
    assert shown == {
        "merchantId": "gym-a",
        "channel": "SMS",
        "type": "USAGE_THRESHOLD",
        "threshold": 80,
        "severity": "WARNING",
        "message": "In words.",
        "count": 2,
        "createdAt": "2026-04-16T12:00:00.000Z",
        "resolvedAt": None,
    }


async def test_an_alert_about_the_tenant_itself_names_neither_merchant_nor_channel(
    integrator: Integrator, database: Database
) -> None:
    await warn(database, integrator.tenant_id, subject="simulator")
    async with database.transaction() as db:
        await resolve_alerts(
            db,
            tenant_id=integrator.tenant_id,
            type=AlertType.PROVIDER_DEGRADED,
            now=NOON + timedelta(hours=1),
        )
    (shown,) = (await integrator.get("/alerts")).json()
    assert (shown["merchantId"], shown["channel"], shown["threshold"]) == (None, None, None)
    assert shown["resolvedAt"] == "2026-04-16T13:00:00.000Z"


async def test_alerts_are_narrowed_by_state_merchant_and_type(
    integrator: Integrator, database: Database
) -> None:
    gym = await make_merchant(database, integrator.tenant_id)
    spa = await make_merchant(database, integrator.tenant_id, "spa-b")
    await warn(database, integrator.tenant_id, gym, type=AlertType.LOW_CREDITS)
    await warn(database, integrator.tenant_id, gym, type=AlertType.CREDITS_EXHAUSTED)
    await warn(database, integrator.tenant_id, spa, type=AlertType.PAYMENT_FAILED)
    async with database.transaction() as db:
        await resolve_alerts(
            db,
            tenant_id=integrator.tenant_id,
            merchant_id=gym,
            type=AlertType.LOW_CREDITS,
            now=NOON,
        )
    assert await types(integrator) == ["PAYMENT_FAILED", "CREDITS_EXHAUSTED", "LOW_CREDITS"]
    assert await types(integrator, open="true") == ["PAYMENT_FAILED", "CREDITS_EXHAUSTED"]
    assert await types(integrator, open="false") == ["LOW_CREDITS"]
    assert await types(integrator, merchantId="gym-a") == ["CREDITS_EXHAUSTED", "LOW_CREDITS"]
    assert await types(integrator, type="PAYMENT_FAILED") == ["PAYMENT_FAILED"]
    assert await types(integrator, type="PAYMENT_FAILED", merchantId="gym-a") == []
    assert await types(integrator, type="WEBHOOK_FAILING") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"open": "yes"}, "open"),
        ({"open": "1"}, "open"),
        ({"open": ""}, "open"),
        ({"type": "FIRE"}, "type"),
        ({"merchantId": "no such name"}, "merchantId"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"severity": "WARNING"}, "severity"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(
    integrator: Integrator, query: dict[str, str], field: str
) -> None:
    answer = await integrator.get("/alerts", **query)
    assert answer.status_code == 400
    assert answer.json()["code"] == "VALIDATION_FAILED"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_merchants_own_key_sees_its_own_alerts_only(
    integrator: Integrator,
    database: Database,
    merchant_key: Callable[[int, int], Awaitable[Integrator]],
) -> None:
    gym = await make_merchant(database, integrator.tenant_id)
    spa = await make_merchant(database, integrator.tenant_id, "spa-b")
    await warn(database, integrator.tenant_id, gym, type=AlertType.LOW_CREDITS)
    await warn(database, integrator.tenant_id, spa, type=AlertType.CREDITS_EXHAUSTED)
    await warn(database, integrator.tenant_id)
    own = await merchant_key(integrator.tenant_id, gym)
    assert await types(own) == ["LOW_CREDITS"]
    assert await types(own, merchantId="gym-a") == ["LOW_CREDITS"]
    answer = await own.get("/alerts", merchantId="spa-b")
    assert (answer.status_code, answer.json()["code"]) == (404, "MERCHANT_NOT_FOUND")


async def test_another_tenants_alerts_are_not_seen(
    integrator: Integrator, stranger: Integrator, database: Database
) -> None:
    gym = await make_merchant(database, integrator.tenant_id)
    await make_merchant(database, stranger.tenant_id)
    await warn(database, integrator.tenant_id, gym)
    await warn(database, integrator.tenant_id)
    assert await types(stranger) == []
    assert await types(stranger, merchantId="gym-a") == []


async def test_alerts_are_walked_whole_while_new_ones_arrive(
    integrator: Integrator, database: Database
) -> None:
    for number in range(5):
        await warn(database, integrator.tenant_id, subject=f"p{number}")
    seen: list[str] = []
    following: str | None = "/api/v1/alerts?limit=2&open=true"
    while following:
        answer = await integrator.client.get(following, headers=integrator.headers)
        seen += [alert["id"] for alert in answer.json()]
        following = answer.links.get("next", {}).get("url")
        assert following is None or "open=true" in following
        await warn(database, integrator.tenant_id, subject=f"late{len(seen)}")
    assert len(seen) == 5
    rows = [await row_of(database, "alert", alert) for alert in seen]
    assert rows == sorted(rows, reverse=True)


async def test_lowering_and_raising_a_limit_moves_the_warning_with_it(
    gym: Integrator, database: Database
) -> None:
    sent = await gym.post("/messages/sms", SMS)
    await gym.post("/merchants", {**GYM, "smsLimit": 1})
    assert await types(gym) == []  # held units are not used
    message_id = await row_of(database, "message", sent.json()["messageId"])
    await deliver(database, gym.tenant_id, message_id)
    assert await types(gym, open="true") == ["USAGE_THRESHOLD"] * 2
    await gym.post("/merchants", {"merchantId": "gym-a", "displayName": "Gym A"})
    assert len(await types(gym, open="true")) == 2
    await gym.post("/merchants", {**GYM, "smsLimit": 2})
    assert await types(gym, open="true") == []
    await gym.post("/merchants", {**GYM, "smsLimit": 0})
    assert await types(gym, open="true") == ["USAGE_THRESHOLD"] * 2


async def test_a_refused_send_leaves_no_alert(gym: Integrator) -> None:
    await gym.post("/merchants", {**GYM, "smsLimit": 0})
    assert (await gym.post("/messages/sms", SMS)).status_code == 402
    assert await types(gym) == []
