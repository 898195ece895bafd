"""The content of a message prevents neither its own end nor other messages."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.e2e.harness import Harness, Integrator, number
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("stack")

WIDE_CELL = (
    "<table><tr><td>"
    + "lorem ipsum " * 18300
    + "</td></tr>"
    + "<tr><td>b</td></tr>" * 2200
    + "</table>"
)
PADDED = '<div style="padding-left:99999em">' + "x<br>" * 6000 + "</div>"
SLOW = "<b>" * 30_000 + "</i>" * 30_000 + '<a href="https://gym-a.example/reset?t=abc">Reset</a>'


async def mailed(integrator: Integrator, to: str, body: str) -> str:
    answer = await integrator.post(
        "/messages/email",
        {
            "merchantId": integrator.owner.merchant,
            "to": to,
            "subject": "Hello",
            "body": body,
            "type": "TRANSACTIONAL",
        },
    )
    assert answer.status_code == 200, answer.text
    message_id: str = answer.json()["messageId"]
    return message_id


async def test_heavy_emails_arrive_and_delay_no_others(
    harness: Harness, integrator: Integrator
) -> None:
    domain = f"{unique('d')}.example.com"
    bodies = [WIDE_CELL, PADDED, SLOW] * 4
    addresses = [f"m{place}@{domain}" for place in range(len(bodies))]
    mails = [await mailed(integrator, to, body) for to, body in zip(addresses, bodies, strict=True)]
    other = await harness.integrator()
    began = time.monotonic()
    codes = [await other.accepted(number(), type="OTP") for _ in range(5)]
    assert {(await other.ended(code))["status"] for code in codes} == {"DELIVERED"}
    assert time.monotonic() - began < 15  # 1 s; it took 20 s behind one such mail
    ends = await asyncio.gather(*(integrator.ended(message_id, within=60) for message_id in mails))
    assert [end["status"] for end in ends] == ["DELIVERED"] * len(mails)
    [wide], [padded], [slow] = [await harness.deliveries(to) for to in addresses[:3]]
    assert "ipsum\nb\nb\nb" in wide["content"]
    assert padded["content"].count("x\n") > 5000
    assert len(padded["content"]) < len(PADDED)
    assert "Reset <https://gym-a.example/reset?t=abc>" in slow["content"]


async def test_a_message_no_request_can_be_made_of_fails_and_gives_its_units_back(
    harness: Harness, integrator: Integrator
) -> None:
    answer = await integrator.post(
        "/messages/voice",
        {
            "merchantId": integrator.owner.merchant,
            "to": number(),
            "text": "Hello",
            "type": "REMINDER",
            "sendAt": (datetime.now(UTC) + timedelta(seconds=2)).isoformat(),
        },
    )
    message_id = answer.json()["messageId"]
    async with harness.database.transaction() as db:
        await db.execute(
            text("UPDATE message SET details = '{}' WHERE tenant_id = :t AND public_id = :m"),
            {"t": integrator.owner.tenant_id, "m": int(message_id)},
        )
    code = await integrator.accepted(number(), type="OTP")
    assert (await integrator.ended(code))["status"] == "DELIVERED"
    view = await integrator.ended(message_id)
    assert (view["status"], view["errorCode"]) == ("FAILED", "UNPROCESSABLE")
    assert (view["attempts"], view["billedUnits"]) == (0, 0)
    assert await integrator.movements(message_id) == {"HOLD": (5, 0), "RELEASE": (5, 0)}
    assert await harness.rows(
        "SELECT f.step, f.failures, f.reason FROM step_failure f JOIN message m"
        "    ON m.tenant_id = f.tenant_id AND m.id = f.message_id WHERE m.public_id = :m",
        m=int(message_id),
    ) == [("dispatch", 5, "KeyError")]
