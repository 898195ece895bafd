"""The developer guide's examples, key by key."""

import re
from datetime import UTC, datetime

from tests.api.doubles import FakeSending
from tests.api.integrator import CONSENT, DIRECT, EMAIL, GYM, SMS, VOICE, Integrator


async def test_the_guides_merchant_is_answered_as_the_guide_says(integrator: Integrator) -> None:
    response = await integrator.post("/merchants", GYM)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "merchantId": "gym-a",
        "displayName": "Gym A",
        "active": True,
        "limits": {"smsLimit": 5000, "voiceMinutesLimit": 1000, "emailLimit": 25000},
        "credits": {"smsCredits": 0, "voiceMinutesCredits": 0, "emailCredits": 0},
        "usage": {
            "smsUsed": 0,
            "voiceUsed": 0,
            "emailUsed": 0,
            "periodStart": datetime.now(UTC).strftime("%Y-%m-01"),
        },
    }


async def test_the_guides_consent_is_answered_as_the_guide_says(integrator: Integrator) -> None:
    await integrator.post("/merchants", GYM)
    response = await integrator.post("/consents", CONSENT)
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["merchantId", "channel", "contact", "status", "source", "updatedAt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.pop("updatedAt"))
    assert answer == CONSENT


async def test_the_guides_sms_is_answered_as_the_guide_says(
    integrator: Integrator, sending: FakeSending
) -> None:
    response = await integrator.post("/messages/sms", SMS, key="merchant-gym-a-otp-20260416-001")
    assert response.status_code == 200
    assert response.json() == {
        "merchantId": "gym-a",
        "channel": "SMS",
        "messageId": "3364264052715392",
        "status": "QUEUED",
    }
    assert sending.requests[0].key == "merchant-gym-a-otp-20260416-001"


async def test_the_guides_call_and_mail_are_answered_as_the_guide_says(gym: Integrator) -> None:
    for path, order, channel in (
        ("/messages/voice", VOICE, "VOICE"),
        ("/messages/email", EMAIL, "EMAIL"),
    ):
        response = await gym.post(path, order, key=f"guide-{channel}")
        assert response.status_code == 200
        answer = response.json()
        assert list(answer) == ["merchantId", "channel", "messageId", "status"]
        assert re.fullmatch(r"[1-9]\d*", answer.pop("messageId"))
        assert answer == {"merchantId": "gym-a", "channel": channel, "status": "QUEUED"}


async def test_a_direct_mail_is_answered_with_id_and_status(gym: Integrator) -> None:
    response = await gym.post("/email/send", DIRECT, key="direct")
    assert response.status_code == 200
    assert list(response.json()) == ["messageId", "status"]
    assert response.json()["status"] == "QUEUED"
