"""Alerts of a tenant on a running system: raised and resolved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.harness import Harness, Integrator, number, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("stack")


async def alerts(integrator: Integrator, query: str = "open=true") -> list[dict[str, Any]]:
    answer = await integrator.get(f"/alerts?{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def warned(integrator: Integrator, query: str = "open=true") -> set[tuple[str, int | None]]:
    return {(alert["type"], alert["threshold"]) for alert in await alerts(integrator, query)}


async def buy(integrator: Integrator, units: int) -> None:
    """Buy credits, and wait until they are granted."""
    order = {
        "merchantId": integrator.owner.merchant,
        "channel": "SMS",
        "units": units,
        "amountCents": 100,
        "currency": "USD",
        "paymentMethodId": "pm_1",
        "referenceId": unique("upgrade"),
    }
    assert (await integrator.post("/billing/upgrade", order)).status_code == 200

    async def fulfilled() -> bool:
        answer = await integrator.get(f"/billing/upgrades?merchantId={integrator.owner.merchant}")
        return all(upgrade["fulfilled"] for upgrade in answer.json())

    await until(fulfilled)


async def test_a_merchant_that_uses_everything_up_is_warned_on_the_way(harness: Harness) -> None:
    integrator = await harness.integrator(sms_limit=5, credits=11)
    for _ in range(4):
        await integrator.ended(await integrator.accepted(number()))
    assert await warned(integrator) == {("USAGE_THRESHOLD", 80)}

    await integrator.ended(await integrator.accepted(number()))
    assert await warned(integrator) == {("USAGE_THRESHOLD", 80), ("USAGE_THRESHOLD", 100)}

    for _ in range(10):
        await integrator.ended(await integrator.accepted(number()))
    used_up = {("USAGE_THRESHOLD", 80), ("USAGE_THRESHOLD", 100)}
    assert await warned(integrator) == {*used_up, ("LOW_CREDITS", 10)}
    await integrator.ended(await integrator.accepted(number()))
    assert (await integrator.send(number())).status_code == 402
    assert await warned(integrator) == {*used_up, ("CREDITS_EXHAUSTED", None)}
    assert await warned(integrator, "open=false") == {("LOW_CREDITS", 10)}

    await buy(integrator, 100)
    assert await warned(integrator) == used_up
    credits = {("LOW_CREDITS", 10), ("CREDITS_EXHAUSTED", None)}
    assert await warned(integrator, "open=false") == credits
    await integrator.all_ended()
    merchant = {"merchantId": integrator.owner.merchant, "displayName": "Gym", "smsLimit": 7}
    assert (await integrator.post("/merchants", merchant)).status_code == 200
    assert await warned(integrator) == set()
    assert all(alert["count"] == 1 for alert in await alerts(integrator, "limit=10"))


async def test_a_send_refused_for_held_credits_warns_until_they_are_released(
    harness: Harness,
) -> None:
    integrator = await harness.integrator(sms_limit=0, credits=1)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    message = await integrator.accepted(number("9002"), sendAt=later)
    assert await warned(integrator) == set()
    assert (await integrator.send(number())).status_code == 402
    assert await warned(integrator) == {("LOW_CREDITS", 10)}
    assert (await integrator.post(f"/messages/{message}/cancel", None)).status_code == 200

    async def taken_back() -> bool:
        return await warned(integrator, "open=false") == {("LOW_CREDITS", 10)}

    await until(taken_back)
    assert await warned(integrator) == set()


async def test_a_provider_that_is_down_is_warned_of_until_it_serves_again(
    harness: Harness, integrator: Integrator
) -> None:
    await harness.faults(down=True)
    try:
        messages = [await integrator.accepted(number()) for _ in range(10)]

        async def degraded() -> bool:
            return await warned(integrator) == {("PROVIDER_DEGRADED", None)}

        await until(degraded)
        [alert] = await alerts(integrator)
        assert (alert["merchantId"], alert["channel"]) == (None, None)
        assert "Provider simulator failed" in alert["message"]
        assert await alerts(await integrator.merchant_key()) == []
    finally:
        await harness.faults()
    for message in messages:
        assert (await integrator.ended(message))["status"] == "DELIVERED"

    async def well_again() -> bool:
        return await alerts(integrator) == []

    await until(well_again)


async def test_an_unknown_outcome_raises_an_alert_until_the_late_report(
    harness: Harness, integrator: Integrator
) -> None:
    harness.stack.freeze("simulator")
    try:
        message = await integrator.accepted(number())
        view = await integrator.ended(message, within=60)
    finally:
        harness.stack.thaw("simulator")
    assert (view["status"], view["billedUnits"]) == ("UNKNOWN", 0)
    [alert] = await alerts(integrator, "type=DELIVERY_UNKNOWN")
    assert (alert["merchantId"], alert["channel"], alert["count"], alert["resolvedAt"]) == (
        integrator.owner.merchant,
        "SMS",
        1,
        None,
    )
    assert f"Message {message} " in alert["message"]

    reference = f"hx-{integrator.owner.tenant_public_id}-{message}-1"
    report = {
        "eventId": f"late-{message}",
        "messageId": "m-late",
        "reference": reference,
        "channel": "SMS",
        "status": "delivered",
        "at": "2026-04-16T13:20:33.120Z",
        "errorCode": None,
    }
    assert (await harness.webhook(reference, report)).is_success

    async def corrected() -> bool:
        return bool((await integrator.view(message))["status"] == "DELIVERED")

    await until(corrected)
    [alert] = await alerts(integrator, "type=DELIVERY_UNKNOWN")
    assert alert["resolvedAt"] is not None
