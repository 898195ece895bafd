"""Accepted messages are funded, and are billed by segments."""

import asyncio
from collections import Counter

import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number

pytestmark = pytest.mark.xdist_group("stack")


async def test_of_a_hundred_sends_racing_for_fifty_units_fifty_are_delivered(
    harness: Harness,
) -> None:
    integrator = await harness.integrator(sms_limit=20, credits=30)
    numbers = [number() for _ in range(100)]
    answers = await asyncio.gather(*(integrator.send(to) for to in numbers))

    assert Counter(answer.status_code for answer in answers) == {200: 50, 402: 50}
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 402}
    assert refused == {"INSUFFICIENT_CREDITS"}
    await integrator.all_ended(within=60)

    copies = await harness.copies(numbers)
    accepted = [int(answer.status_code == 200) for answer in answers]
    assert copies == accepted
    assert await integrator.balances() == {
        "used": 20,
        "held": 0,
        "credits_used": 30,
        "credits": 0,
        "credits_held": 0,
    }
    assert await harness.rows(
        "SELECT count(*) FROM message WHERE tenant_id = :tenant", tenant=integrator.owner.tenant_id
    ) == [(50,)]
    assert await integrator.day_total() == (50, 50)
    assert await violations(integrator) == []


@pytest.mark.parametrize(
    ("text", "units"),
    [("x" * 160, 1), ("x" * 161, 2), ("x" * 459, 3), ("привет " * 11, 2), ("€" * 81, 2)],
    ids=["160 GSM-7", "161 GSM-7", "459 GSM-7", "77 UCS-2", "81 of two septets"],
)
async def test_a_long_message_is_one_copy_and_billed_by_its_segments(
    harness: Harness, integrator: Integrator, text: str, units: int
) -> None:
    to = number()
    message_id = await integrator.accepted(to, message=text)
    view = await integrator.ended(message_id)
    assert (view["status"], view["units"], view["billedUnits"]) == ("DELIVERED", units, units)
    assert [copy["content"] for copy in await harness.deliveries(to)] == [text]
    assert await integrator.movements(message_id) == {"HOLD": (units, 0), "CAPTURE": (units, 0)}
    assert await integrator.usage() == {message_id: (units, "FINAL")}
    assert (await integrator.balances())["used"] == units


async def test_a_refused_send_gives_allowance_and_credits_back_where_they_came_from(
    harness: Harness,
) -> None:
    integrator = await harness.integrator(sms_limit=1, credits=5)
    before = await integrator.send(number("9002"), message="x" * 161)
    message_id = before.json()["messageId"]
    view = await integrator.ended(message_id)
    assert (view["status"], view["billedUnits"]) == ("FAILED", 0)
    assert await integrator.movements(message_id) == {"HOLD": (2, 1), "RELEASE": (2, 1)}
    assert await integrator.balances() == {
        "used": 0,
        "held": 0,
        "credits_used": 0,
        "credits": 5,
        "credits_held": 0,
    }
    assert await violations(integrator) == []
