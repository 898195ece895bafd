"""Presence: posted for one's own user, expires, and is visible to its tenant only."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.session import Database
from tests.api.doubles import Clock
from tests.api.integrator import GYM, Integrator, make_integrator, make_merchant

PATH = "/voice/provisioning/presence"
CONTACT = "sip:desk@198.51.100.7:5060"


async def user_of(integrator: Integrator, merchant: str = "gym-a") -> str:
    answer = await integrator.get("/voice/provisioning", merchantId=merchant)
    return str(answer.json()["sip"]["username"])


async def body(integrator: Integrator, **change: Any) -> dict[str, Any]:
    return {
        "merchantId": "gym-a",
        "username": await user_of(integrator),
        "state": "ONLINE",
        "userAgent": "HexaPhone/2.1",
        "contact": CONTACT,
        "expiresSeconds": 60,
        **change,
    }


async def listed(integrator: Integrator, **query: str) -> list[dict[str, Any]]:
    answer = await integrator.get(PATH, **query)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def test_a_posted_state_is_shown_in_both_places(gym: Integrator) -> None:
    posted = await gym.post(PATH, await body(gym, state="AWAY"))
    assert posted.status_code == 200
    view = posted.json()
    assert view == {
        "merchantId": "gym-a",
        "username": await user_of(gym),
        "state": "AWAY",
        "userAgent": "HexaPhone/2.1",
        "contact": CONTACT,
        "expiresAt": view["expiresAt"],
        "updatedAt": view["updatedAt"],
    }
    assert await listed(gym) == [view]
    shown = await gym.get("/voice/provisioning", merchantId="gym-a")
    assert shown.json()["presence"] == view


@pytest.mark.parametrize(("given", "seconds"), [({"expiresSeconds": 90}, 90), ({}, 300)])
async def test_it_lapses_to_offline_when_it_expires(
    gym: Integrator, clock: Clock, given: dict[str, int], seconds: int
) -> None:
    order = await body(gym)
    del order["expiresSeconds"]
    view = (await gym.post(PATH, {**order, **given})).json()
    clock.now += timedelta(seconds=seconds - 1)
    assert (await listed(gym))[0]["state"] == "ONLINE"
    clock.now += timedelta(seconds=2)
    assert await listed(gym) == [{**view, "state": "OFFLINE", "contact": None}]


async def test_the_latest_post_applies_and_absent_fields_are_cleared(gym: Integrator) -> None:
    await gym.post(PATH, await body(gym))
    order = await body(gym, state="BUSY")
    await gym.post(PATH, {k: v for k, v in order.items() if k not in ("userAgent", "contact")})
    (view,) = await listed(gym)
    assert (view["state"], view["userAgent"], view["contact"]) == ("BUSY", None, None)
    await gym.post(PATH, await body(gym, state="OFFLINE"))
    assert (await listed(gym))[0]["state"] == "OFFLINE"


async def test_a_late_retry_replays_its_answer_and_overwrites_nothing(gym: Integrator) -> None:
    first = await gym.post(PATH, await body(gym), key="k")
    await gym.post(PATH, await body(gym, state="BUSY"), key="another")
    late = await gym.post(PATH, await body(gym), key="k")
    assert (late.json(), late.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert (await listed(gym))[0]["state"] == "BUSY"
    reused = await gym.post(PATH, await body(gym, state="AWAY"), key="k")
    assert reused.status_code == 422


async def test_concurrent_posts_leave_one_state(gym: Integrator) -> None:
    words = [await body(gym, state=state) for state in ("ONLINE", "BUSY", "AWAY") * 4]
    answers = await asyncio.gather(*(gym.post(PATH, word) for word in words))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await listed(gym)) == 1


async def test_a_user_who_was_never_seen_is_listed_as_offline(gym: Integrator) -> None:
    username = await user_of(gym)
    (view,) = await listed(gym, merchantId="gym-a")
    assert (view["username"], view["state"], view["updatedAt"]) == (username, "OFFLINE", None)


async def test_another_tenant_neither_writes_nor_sees_it(
    gym: Integrator, stranger: Integrator
) -> None:
    order = await body(gym)
    await stranger.post("/merchants", GYM)
    await user_of(stranger)
    refused = await stranger.post(PATH, order)
    assert (refused.status_code, refused.json()["code"]) == (404, "VOICE_USER_NOT_FOUND")
    assert [view["username"] for view in await listed(stranger)] == [await user_of(stranger)]
    assert (await listed(gym))[0]["state"] == "OFFLINE"


async def test_a_merchants_key_writes_and_sees_only_its_own(
    gym: Integrator, database: Database, http: httpx.AsyncClient
) -> None:
    own = await make_merchant(database, gym.tenant_id, "own")
    key = await make_integrator(database, http, gym.tenant_id, own)
    foreign, mine = await body(gym), await user_of(key, "own")
    assert (await key.post(PATH, foreign)).status_code == 404
    assert (await key.post(PATH, {**foreign, "merchantId": "own"})).status_code == 404
    assert (await key.get(PATH, merchantId="gym-a")).status_code == 404
    posted = await key.post(PATH, {**foreign, "merchantId": "own", "username": mine})
    assert posted.status_code == 200
    assert [view["merchantId"] for view in await listed(key)] == ["own"]
    assert [view["merchantId"] for view in await listed(gym)] == ["own", "gym-a"]


async def test_the_list_goes_on_page_by_page(gym: Integrator) -> None:
    names = ["gym-a", "gym-b", "gym-c"]
    for name in names:
        await gym.post("/merchants", {**GYM, "merchantId": name})
        await user_of(gym, name)
    first = await gym.get(PATH, limit="2")
    following = first.headers["Link"].partition("<")[2].partition(">")[0]
    rest = await gym.client.get(following, headers=gym.headers)
    found = [view["merchantId"] for view in first.json() + rest.json()]
    assert (found, "Link" in rest.headers) == (names[::-1], False)


async def test_there_is_no_presence_without_a_user(gym: Integrator) -> None:
    order = {"merchantId": "gym-a", "username": "t1m1", "state": "ONLINE"}
    refused = await gym.post(PATH, order)
    assert (refused.status_code, refused.json()["code"]) == (404, "VOICE_USER_NOT_FOUND")
    assert await listed(gym) == []


@pytest.mark.parametrize(
    "change",
    [
        {"state": "GONE"},
        {"state": None},
        {"username": ""},
        {"username": "x" * 65},
        {"userAgent": ""},
        {"userAgent": "x" * 256},
        {"contact": ""},
        {"contact": "x" * 513},
        {"contact": "sip:\x00"},
        {"contact": "sip:t1m7@198.51.100.7\r\n"},
        {"contact": "sip:\x1b[31m"},
        {"userAgent": "HexaPhone\t2"},
        {"userAgent": "HexaPhone\x7f"},
        {"userAgent": "HexaPhone\u202e"},
        {"expiresSeconds": 0},
        {"expiresSeconds": 86_401},
        {"expiresSeconds": "60"},
        {"note": "x"},
    ],
)
async def test_an_invalid_post_is_400_and_not_stored(
    gym: Integrator, change: dict[str, Any]
) -> None:
    answer = await gym.post(PATH, await body(gym, **change))
    assert answer.status_code == 400, answer.text
    assert (await listed(gym))[0]["updatedAt"] is None


@pytest.mark.parametrize("field", ["userAgent", "contact"])
async def test_a_field_with_a_control_character_is_named(gym: Integrator, field: str) -> None:
    answer = await gym.post(PATH, await body(gym, **{field: "a\x07b"}))
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    assert answer.json()["errors"] == [
        {"field": field, "message": "must hold printable characters only"}
    ]
