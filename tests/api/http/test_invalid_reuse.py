"""An invalid request with a used key is IDEMPOTENCY_KEY_REUSED; with an unused key it is 400."""

from typing import Any

import pytest
from fastapi import FastAPI

from api.services.used_keys import OPERATIONS
from tests.api.billing.test_billing import UPGRADE
from tests.api.integrator import BATCH, CONSENT, DIRECT, EMAIL, GYM, SMS, VOICE, Integrator
from tests.api.scopes import PRESENCE
from tests.messaging import BRAND

REUSED = (422, "IDEMPOTENCY_KEY_REUSED")
_BRAND = "/merchants/gym-a/messaging/brand"
_INVALID_SMS: list[Any] = [
    {**SMS, "to": 5},
    {**SMS, "type": "NONSENSE"},
    {**SMS, "message": None},
    {**SMS, "surplus": 1},
    {**SMS, "to": "nobody"},
    {**SMS, "message": "NUL\x00"},
    {**SMS, "metadata": {str(n): "x" for n in range(300)}},
    {**SMS, "sendAt": "2999-01-01T00:00:00Z"},
    {**SMS, "message": "x" * 5000},
    {},
    [],
    "text",
    7,
]


@pytest.mark.parametrize("body", _INVALID_SMS, ids=range(len(_INVALID_SMS)))
async def test_a_used_key_of_a_send_with_an_invalid_body_is_422(gym: Integrator, body: Any) -> None:
    assert (await gym.post("/messages/sms", SMS, key="used")).status_code == 200
    assert await told(gym, "/messages/sms", body, "used") == REUSED
    status, _ = await told(gym, "/messages/sms", body, "unused")
    assert status == 400
    again = await gym.post("/messages/sms", SMS, key="used")
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("path", "valid", "invalid"),
    [
        ("/messages/sms", SMS, {**SMS, "to": 5}),
        ("/messages/voice", VOICE, {**VOICE, "timeoutSeconds": 1}),
        ("/messages/email", EMAIL, {**EMAIL, "subject": 1}),
        ("/email/send", DIRECT, {**DIRECT, "to": []}),
        ("/voice/tts-calls", VOICE, {**VOICE, "text": ""}),
        ("/billing/upgrade", UPGRADE, {**UPGRADE, "units": 0}),
        ("/messages/batch", BATCH, {**BATCH, "channel": "FAX"}),
        ("/messages/batch", BATCH, {**BATCH, "messages": []}),
        ("/messages/batch", BATCH, {**BATCH, "messages": [7]}),
        ("/consents", CONSENT, {**CONSENT, "status": "MAYBE"}),
        ("/consents", CONSENT, {**CONSENT, "contact": "nobody"}),
        ("/merchants", GYM, {**GYM, "smsLimit": -1}),
        ("/merchants/gym-a/settings", {"helpText": "Call."}, {"helpText": 7}),
        (_BRAND, BRAND, {**BRAND, "ein": 5}),
        ("/voice/provisioning/rotate", {"merchantId": "gym-a"}, {"merchantId": 5}),
    ],
)
async def test_every_keyed_route_says_422_for_a_used_key_and_400_for_a_new_one(
    gym: Integrator, path: str, valid: dict[str, Any], invalid: dict[str, Any]
) -> None:
    if path.endswith("rotate"):
        await gym.get("/voice/provisioning", merchantId="gym-a")
    first = await gym.post(path, valid, key="used")
    assert first.status_code == 200, first.text
    assert await told(gym, path, invalid, "used") == REUSED
    assert (await told(gym, path, invalid, "unused"))[0] == 400
    assert (await gym.post(path, invalid)).status_code == 400


async def test_presence_too(gym: Integrator) -> None:
    provisioned = (await gym.get("/voice/provisioning", merchantId="gym-a")).json()
    path = "/voice/provisioning/presence"
    valid = {**PRESENCE, "merchantId": "gym-a", "username": provisioned["sip"]["username"]}
    assert (await gym.post(path, valid, key="used")).status_code == 200
    assert await told(gym, path, {**valid, "state": "GONE"}, "used") == REUSED
    assert (await told(gym, path, {**valid, "state": "GONE"}, "unused"))[0] == 400


async def test_what_is_no_json_at_all_stays_400(gym: Integrator) -> None:
    await gym.post("/messages/sms", SMS, key="used")
    response = await gym.client.post(
        "/api/v1/messages/sms",
        content=b"{",
        headers={**gym.headers, "Idempotency-Key": "used", "Content-Type": "application/json"},
    )
    assert (response.status_code, response.json()["code"]) == (400, "MALFORMED_JSON")


async def test_a_key_is_used_only_on_its_route_and_by_its_tenant(
    gym: Integrator, stranger: Integrator
) -> None:
    await gym.post("/messages/sms", SMS, key="used")
    assert (await told(gym, "/messages/voice", {**VOICE, "to": 5}, "used"))[0] == 400
    assert (await told(stranger, "/messages/sms", {**SMS, "to": 5}, "used"))[0] == 400


async def test_a_key_that_is_none_leaves_the_400(gym: Integrator) -> None:
    assert (await told(gym, "/messages/sms", {**SMS, "to": 5}, "a b"))[0] == 400


def test_every_route_that_keeps_keys_in_a_row_of_its_own_exists(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    assert [
        route
        for route in OPERATIONS
        if route.split()[0].lower() not in paths.get(route.split()[1], {})
    ] == []


async def told(gym: Integrator, path: str, body: Any, key: str) -> tuple[int, str]:
    response = await gym.post(path, body, key=key)
    return response.status_code, response.json()["code"]
