"""The guide's quickstart, with only host and key replaced."""

import re
from datetime import UTC, datetime

import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator

pytestmark = pytest.mark.xdist_group("stack")

MERCHANT = """{
"merchantId": "gym-a",
"displayName": "Gym A",
"active": true,
"smsLimit": 5000,
"voiceMinutesLimit": 1000,
"emailLimit": 25000
}"""
CONSENT = """{
"merchantId": "gym-a",
"channel": "SMS",
"contact": "+18135551234",
"status": "OPT_IN",
"source": "checkout-form"
}"""
SMS = """{
"merchantId": "gym-a",
"to": "+18135551234",
"message": "Your OTP is 123456",
"type": "OTP"
}"""


async def test_the_quickstart_works_verbatim_and_the_otp_arrives(
    harness: Harness, integrator: Integrator
) -> None:
    api = f"{harness.stack.api_url}/api/v1"
    headers = {"Content-Type": "application/json", **integrator.headers}

    made = await harness.http.post(f"{api}/merchants", content=MERCHANT, headers=headers)
    assert (made.status_code, made.json()) == (
        200,
        {
            "merchantId": "gym-a",
            "displayName": "Gym A",
            "active": True,
            "limits": {"smsLimit": 5000, "voiceMinutesLimit": 1000, "emailLimit": 25000},
            "credits": {"smsCredits": 0, "voiceMinutesCredits": 0, "emailCredits": 0},
            "usage": {
                "smsUsed": 0,
                "voiceUsed": 0,
                "emailUsed": 0,
                "periodStart": f"{datetime.now(UTC):%Y-%m}-01",
            },
        },
    )

    said = await harness.http.post(f"{api}/consents", content=CONSENT, headers=headers)
    view = said.json()
    updated_at = view.pop("updatedAt")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", updated_at)
    assert (said.status_code, view) == (
        200,
        {
            "merchantId": "gym-a",
            "channel": "SMS",
            "contact": "+18135551234",
            "status": "OPT_IN",
            "source": "checkout-form",
        },
    )

    earlier = await harness.deliveries("+18135551234")  # of other tests, to the guide's number
    sent = await harness.http.post(
        f"{api}/messages/sms",
        content=SMS,
        headers={**headers, "Idempotency-Key": "merchant-gym-a-otp-20260416-001"},
    )
    answer = sent.json()
    message_id = answer.pop("messageId")
    assert re.fullmatch(r"\d+", message_id)
    assert (sent.status_code, answer) == (
        200,
        {"merchantId": "gym-a", "channel": "SMS", "status": "QUEUED"},
    )

    ended = await integrator.ended(message_id)
    assert (ended["status"], ended["billedUnits"], ended["type"]) == ("DELIVERED", 1, "OTP")
    days = f"from={datetime.now(UTC):%Y-%m-01}&to={datetime.now(UTC):%Y-%m-%d}"
    report = (await integrator.get(f"/reports/usage?{days}")).json()
    assert (report["totalSmsCount"], report["freshnessState"]) == (1, "PROVISIONAL")
    copies = await harness.deliveries("+18135551234")
    new = [copy for copy in copies if copy not in earlier]
    assert [(copy["channel"], copy["content"]) for copy in new] == [("SMS", "Your OTP is 123456")]
    assert await integrator.movements(message_id) == {"HOLD": (1, 0), "CAPTURE": (1, 0)}
    gym = (await integrator.get("/merchants/gym-a")).json()
    assert gym["usage"]["smsUsed"] == 1
    assert await violations(integrator) == []
