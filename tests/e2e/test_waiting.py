"""Messages that wait for their send time, and events meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until

pytestmark = pytest.mark.xdist_group("stack")


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def test_a_scheduled_message_arrives_at_its_hour_and_not_before(
    harness: Harness, integrator: Integrator
) -> None:
    to, send_at = number(), _in(3)
    answer = (await integrator.send(to, sendAt=send_at)).json()
    assert answer["status"] == "SCHEDULED"
    waiting = await integrator.view(answer["messageId"])
    assert (waiting["status"], waiting["attempts"]) == ("SCHEDULED", 0)
    assert datetime.fromisoformat(waiting["sendAt"]) == _milliseconds(send_at)

    view = await integrator.ended(answer["messageId"])
    assert view["status"] == "DELIVERED"
    [copy] = await harness.deliveries(to)
    assert datetime.fromisoformat(copy["at"]) >= datetime.fromisoformat(send_at)
    assert datetime.fromisoformat(view["sentAt"]) >= _milliseconds(send_at)
    assert await violations(integrator) == []


async def test_an_opt_out_before_the_hour_keeps_the_message_back_and_frees_its_units(
    harness: Harness, integrator: Integrator
) -> None:
    to = number()
    message_id = await integrator.accepted(to, sendAt=_in(3))
    assert (await integrator.balances())["held"] == 1
    said = await integrator.post(
        "/consents",
        {
            "merchantId": integrator.owner.merchant,
            "channel": "SMS",
            "contact": to,
            "status": "OPT_OUT",
            "source": "test",
        },
    )
    assert said.status_code == 200

    view = await integrator.ended(message_id)
    assert (view["status"], view["errorCode"]) == ("FAILED", "CONSENT_OPTED_OUT")
    assert (view["attempts"], view["billedUnits"]) == (0, 0)
    assert await harness.deliveries(to) == []
    assert await integrator.movements(message_id) == {"HOLD": (1, 0), "RELEASE": (1, 0)}
    assert await integrator.usage() == {}
    assert await violations(integrator) == []


async def test_an_inactive_merchants_message_is_held_back_and_goes_out_once_it_is_active(
    harness: Harness, integrator: Integrator
) -> None:
    to = number()
    message_id = await integrator.accepted(to, type="OTP", validForSeconds=30, sendAt=_in(2))
    merchant = {"merchantId": integrator.owner.merchant, "displayName": "Gym A"}
    assert (await integrator.post("/merchants", {**merchant, "active": False})).is_success

    due = datetime.now(UTC) + timedelta(seconds=3)

    async def past_due() -> bool:
        return datetime.now(UTC) > due

    await until(past_due)
    view = await integrator.view(message_id)
    assert (view["status"], view["attempts"]) == ("SCHEDULED", 0)
    assert "the merchant is inactive" in view["events"][-1]["detail"]
    assert await harness.deliveries(to) == []
    assert (await integrator.balances())["held"] == 1

    assert (await integrator.post("/merchants", {**merchant, "active": True})).is_success
    assert (await integrator.ended(message_id))["status"] == "DELIVERED"
    assert len(await harness.deliveries(to)) == 1
    assert await violations(integrator) == []


def _milliseconds(moment: str) -> datetime:
    given = datetime.fromisoformat(moment)
    return given.replace(microsecond=given.microsecond // 1000 * 1000)
