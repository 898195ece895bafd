"""A merchant's settings: they can narrow the marketing hours, and never widen them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from models.session import Database
from tests.api.integrator import GYM, Integrator, make_merchant

MerchantKey = Callable[[int, int], Awaitable[Integrator]]
PATH = "/merchants/gym-a/settings"
NONE = {
    "merchantId": "gym-a",
    "timezone": "America/New_York",
    "marketingFrom": None,
    "marketingUntil": None,
    "marketingTimezones": None,
    "helpText": None,
    "supportContact": None,
}


@pytest.fixture
async def tenant(integrator: Integrator) -> Integrator:
    """An integrator with the guide's merchant."""
    await integrator.post("/merchants", GYM)
    return integrator


async def test_without_credentials_everything_is_401(client: httpx.AsyncClient) -> None:
    answers = [await client.get(f"/api/v1{PATH}"), await client.post(f"/api/v1{PATH}", json={})]
    assert [answer.status_code for answer in answers] == [401] * 2


async def test_another_tenants_settings_are_404(tenant: Integrator, stranger: Integrator) -> None:
    answers = [await stranger.get(PATH), await stranger.post(PATH, {"helpText": "x"})]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(404, "MERCHANT_NOT_FOUND")}
    assert (await tenant.get(PATH)).json() == NONE


async def test_a_merchants_key_reads_its_own_and_writes_none(
    tenant: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, tenant.tenant_id, "own")
    key = await merchant_key(tenant.tenant_id, own)
    assert (await key.get("/merchants/own/settings")).status_code == 200
    assert (await key.get(PATH)).status_code == 404
    for path in ("/merchants/own/settings", PATH):
        refused = await key.post(path, {"helpText": "x"})
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")


async def test_absent_ones_stay_and_null_takes_one_back(tenant: Integrator) -> None:
    all_of_them = {
        "marketingFrom": "10:00",
        "marketingUntil": "19:30",
        "marketingTimezones": ["Europe/Moscow", "America/Sao_Paulo"],
        "helpText": "Call us.",
        "supportContact": "813-555-0100",
    }
    assert (await tenant.post(PATH, all_of_them)).json() == {**NONE, **all_of_them}
    await tenant.post(PATH, {})
    await tenant.post(PATH, {"marketingFrom": None})
    settings = (await tenant.get(PATH)).json()
    assert settings == {**NONE, **all_of_them, "marketingFrom": None}


async def test_a_repeated_time_zone_is_kept_once(tenant: Integrator) -> None:
    given = ["Europe/Moscow", "America/Sao_Paulo", "Europe/Moscow", "America/Sao_Paulo"]
    settings = (await tenant.post(PATH, {"marketingTimezones": given})).json()
    assert settings["marketingTimezones"] == ["Europe/Moscow", "America/Sao_Paulo"]


async def test_the_timezone_of_the_merchant_is_shown(tenant: Integrator) -> None:
    await tenant.post("/merchants", {**GYM, "timezone": "Africa/Casablanca"})
    assert (await tenant.get(PATH)).json() == {**NONE, "timezone": "Africa/Casablanca"}
    assert (await tenant.post(PATH, {})).json() == {**NONE, "timezone": "Africa/Casablanca"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"marketingFrom": "07:59"}, "marketingFrom"),
        ({"marketingFrom": "00:00"}, "marketingFrom"),
        ({"marketingUntil": "21:01"}, "marketingUntil"),
        ({"marketingUntil": "23:59"}, "marketingUntil"),
        ({"marketingFrom": "21:00"}, "marketingUntil"),
        ({"marketingUntil": "08:00"}, "marketingUntil"),
        ({"marketingFrom": "12:00", "marketingUntil": "12:00"}, "marketingUntil"),
        ({"marketingFrom": "18:00", "marketingUntil": "09:00"}, "marketingUntil"),
        ({"marketingFrom": "24:00"}, "marketingFrom"),
        ({"marketingFrom": "9:00"}, "marketingFrom"),
        ({"marketingFrom": "09:00:00"}, "marketingFrom"),
        ({"marketingFrom": "09:00Z"}, "marketingFrom"),
        ({"marketingFrom": 36000}, "marketingFrom"),
        ({"marketingFrom": ""}, "marketingFrom"),
        ({"marketingTimezones": "Europe/Moscow"}, "marketingTimezones"),
        ({"marketingTimezones": []}, "marketingTimezones"),
        ({"marketingTimezones": ["localtime"]}, "marketingTimezones.0"),
        ({"marketingTimezones": ["Europe/Moscow", "Mars/Base"]}, "marketingTimezones.1"),
        ({"marketingTimezones": ["Europe/Moscow"] * 21}, "marketingTimezones"),
        ({"helpText": ""}, "helpText"),
        ({"helpText": "  "}, "helpText"),
        ({"helpText": "x" * 321}, "helpText"),
        ({"supportContact": ""}, "supportContact"),
        ({"supportContact": " "}, "supportContact"),
        ({"supportContact": "x" * 101}, "supportContact"),
        ({"supportContact": "813-555-0100\nSTOP"}, "supportContact"),
        ({"supportContact": "813\u2028555"}, "supportContact"),
        ({"supportContact": 8135550100}, "supportContact"),
        ({"timezone": "UTC"}, "timezone"),
    ],
)
async def test_wider_or_invalid_hours_are_400(
    tenant: Integrator, change: dict[str, Any], field: str
) -> None:
    answer = await tenant.post(PATH, change)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    assert field in {error["field"] for error in answer.json()["errors"]}
    assert (await tenant.get(PATH)).json() == NONE


async def test_the_edges_of_the_day_are_allowed(tenant: Integrator) -> None:
    answer = await tenant.post(PATH, {"marketingFrom": "08:00", "marketingUntil": "21:00"})
    assert answer.status_code == 200


async def test_the_other_hour_is_checked_against_what_is_stored(tenant: Integrator) -> None:
    await tenant.post(PATH, {"marketingFrom": "18:00"})
    assert (await tenant.post(PATH, {"marketingUntil": "17:00"})).status_code == 400
    answers = await asyncio.gather(
        tenant.post(PATH, {"marketingFrom": "20:00"}),
        tenant.post(PATH, {"marketingUntil": "19:00"}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400]


async def test_a_late_retry_replays_its_answer_and_overwrites_nothing(tenant: Integrator) -> None:
    first = await tenant.post(PATH, {"marketingFrom": "10:00"}, key="k")
    await tenant.post(PATH, {"marketingFrom": "11:00"})
    late = await tenant.post(PATH, {"marketingFrom": "10:00"}, key="k")
    assert (late.text, late.headers["Idempotency-Replayed"]) == (first.text, "true")
    assert (await tenant.get(PATH)).json()["marketingFrom"] == "11:00"
    assert (await tenant.post(PATH, {"marketingFrom": "12:00"}, key="k")).status_code == 422


async def test_a_key_belongs_to_one_merchant(tenant: Integrator) -> None:
    await tenant.post("/merchants", {**GYM, "merchantId": "gym-b"})
    await tenant.post(PATH, {"helpText": "x"}, key="k")
    answer = await tenant.post("/merchants/gym-b/settings", {"helpText": "x"}, key="k")
    assert answer.status_code == 422


async def test_an_upsert_leaves_the_settings_alone(tenant: Integrator) -> None:
    await tenant.post(PATH, {"marketingFrom": "10:00", "helpText": "Call us."})
    await tenant.post("/merchants", {**GYM, "displayName": "New"})
    assert (await tenant.get(PATH)).json()["marketingFrom"] == "10:00"
