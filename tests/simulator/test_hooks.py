"""Receivers of webhooks: what they answer, and what they list."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.simulator.harness import Running
from tests.simulator.hook import Hook, new_secret

DEFAULT = {"mode": "ok", "status": 200, "retryAfter": None, "times": None, "secrets": 0}


@pytest.fixture
async def http(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as http:
        yield http


@pytest.fixture
def hook(http: httpx.AsyncClient) -> Hook:
    """A receiver of this test."""
    return Hook(http)


async def test_a_receiver_that_nobody_set_up_stores_and_accepts(hook: Hook) -> None:
    answer = await hook.send(id="msg_1", body='{"type": "message.sent",\n "data": {"n": 1.50}}')
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    listing = await hook.listing()
    [item] = listing["items"]
    assert listing == {"count": 1, "received": 1, "items": [item]}
    at = datetime.fromisoformat(item["receivedAt"])
    assert abs(datetime.now(UTC) - at) < timedelta(seconds=60)
    assert item == {
        "number": 1,
        "receivedAt": item["receivedAt"],
        "webhookId": None,
        "webhookTimestamp": None,
        "webhookSignature": None,
        "verified": None,
        "verificationError": None,
        "status": 200,
        "body": '{"type": "message.sent",\n "data": {"n": 1.50}}',
        "json": {"type": "message.sent", "data": {"n": 1.5}},
    }


async def test_the_headers_of_a_webhook_are_listed_as_received(hook: Hook) -> None:
    headers = {"Webhook-Id": "msg_é", "webhook-timestamp": "soon", "WEBHOOK-SIGNATURE": "v1,x v2"}
    await hook.post("{}", headers)
    [item] = await hook.items()
    assert (item["webhookId"], item["webhookTimestamp"]) == ("msg_é", "soon")
    assert item["webhookSignature"] == "v1,x v2"


async def test_webhooks_are_listed_newest_last(hook: Hook) -> None:
    for n in (1, 2, 3):
        await hook.send(new_secret(), id=f"msg_{n}")
    for limit, shown in ((0, []), (2, [2, 3]), (9, [1, 2, 3])):
        listing = await hook.listing(limit=limit)
        assert (listing["count"], listing["received"]) == (3, 3)
        assert [item["webhookId"] for item in listing["items"]] == [f"msg_{n}" for n in shown]
        assert [item["number"] for item in listing["items"]] == shown


@pytest.mark.parametrize("limit", ["-1", "", "x", "1e3", "9" * 10, "\u0661"])
async def test_a_limit_is_a_whole_number(http: httpx.AsyncClient, hook: Hook, limit: str) -> None:
    assert (await http.get(hook.path, params={"limit": limit})).status_code == 400


async def test_a_duplicate_is_listed_twice(hook: Hook) -> None:
    secret = new_secret()
    for _ in range(2):
        assert (await hook.send(secret, id="msg_1")).status_code == 200
    assert [(item["number"], item["webhookId"]) for item in await hook.items()] == [
        (1, "msg_1"),
        (2, "msg_1"),
    ]


async def test_receivers_are_separate(http: httpx.AsyncClient, hook: Hook) -> None:
    other = Hook(http)
    await hook.behave(mode="gone")
    await other.send(body='{"n":1}')
    assert (await hook.listing())["count"] == 0
    assert (await other.items())[0]["status"] == 200


async def test_an_unknown_receiver_is_empty(hook: Hook) -> None:
    assert await hook.listing() == {"count": 0, "received": 0, "items": []}
    assert await hook.behaviour() == DEFAULT
    assert await hook.delete() == {"count": 0, "received": 0, "items": []}
    assert await hook.delete("/behaviour") == DEFAULT


@pytest.mark.parametrize(
    ("fields", "status", "retry_after"),
    [
        ({"mode": "ok"}, 200, None),
        ({"mode": "fail"}, 500, None),
        ({"mode": "fail", "status": 400}, 400, None),
        ({"mode": "fail", "status": 429, "retryAfter": 7}, 429, "7"),
        ({"mode": "fail", "status": 503, "retryAfter": 0}, 503, "0"),
        ({"mode": "fail", "status": 599, "retryAfter": None, "times": None}, 599, None),
        ({"mode": "gone"}, 410, None),
    ],
    ids=str,
)
async def test_each_mode_has_its_answer(
    hook: Hook, fields: dict[str, Any], status: int, retry_after: str | None
) -> None:
    await hook.behave(**fields)
    for _ in range(2):
        answer = await hook.send()
        assert answer.status_code == status
        assert answer.headers.get("Retry-After") == retry_after
    assert [item["status"] for item in await hook.items()] == [status, status]


@pytest.mark.parametrize(("mode", "status"), [("fail", 500), ("gone", 410)])
async def test_a_mode_may_last_for_some_webhooks_only(hook: Hook, mode: str, status: int) -> None:
    secret = new_secret()
    await hook.behave(mode=mode, times=2, secret=secret)
    statuses = [(await hook.send(secret)).status_code for _ in range(2)]
    assert (await hook.behaviour()) == DEFAULT | {"secrets": 1}
    statuses.append((await hook.send(secret)).status_code)
    assert statuses == [status, status, 200]
    assert [item["verified"] for item in await hook.items()] == [True, True, True]


async def test_the_behaviour_can_be_read(hook: Hook) -> None:
    view = await hook.behave(mode="fail", status=503, retryAfter=2, times=3, secret=new_secret())
    assert view == {"mode": "fail", "status": 503, "retryAfter": 2, "times": 3, "secrets": 1}
    await hook.send()
    assert await hook.behaviour() == view | {"times": 2}


async def test_a_new_mode_keeps_the_secret_only(hook: Hook) -> None:
    await hook.behave(mode="fail", status=503, retryAfter=2, times=3, secret=new_secret())
    assert await hook.behave(mode="fail") == DEFAULT | {"mode": "fail", "status": 500, "secrets": 1}


async def test_a_new_secret_keeps_the_mode(hook: Hook) -> None:
    view = await hook.behave(mode="fail", status=503, retryAfter=2, times=3)
    secrets = [new_secret(), new_secret()]
    assert await hook.behave(secret=secrets) == view | {"secrets": 2}
    assert await hook.behave() == view | {"secrets": 2}
    assert await hook.behave(secret=None) == view


async def test_a_reset_behaviour_is_the_default(hook: Hook) -> None:
    await hook.behave(mode="gone", secret=new_secret())
    await hook.send()
    assert await hook.delete("/behaviour") == DEFAULT
    assert (await hook.send()).status_code == 200
    assert (await hook.listing())["count"] == 2, "what was stored stays"


async def test_a_receiver_can_be_emptied(hook: Hook) -> None:
    view = await hook.behave(mode="fail", secret=new_secret())
    await hook.send()
    assert await hook.delete() == {"count": 0, "received": 0, "items": []}
    assert await hook.behaviour() == view, "its behaviour stays"
    await hook.send(id="msg_2")
    assert [item["number"] for item in await hook.items()] == [1]


@pytest.mark.parametrize(
    "fields",
    [
        [],
        "fail",
        {"mode": "maybe"},
        {"mode": None},
        {"mode": ["fail"]},
        {"mode": "OK"},
        {"modes": "ok"},
        {"mode": "fail", "status": 200},
        {"mode": "fail", "status": 302},
        {"mode": "fail", "status": 600},
        {"mode": "fail", "status": "500"},
        {"mode": "fail", "status": True},
        {"mode": "fail", "status": 500.0},
        {"mode": "fail", "retryAfter": -1},
        {"mode": "fail", "retryAfter": 86_401},
        {"mode": "fail", "times": 0},
        {"mode": "fail", "times": 1_000_001},
        {"mode": "fail", "times": True},
        {"mode": "gone", "status": 410},
        {"mode": "hang", "retryAfter": 1},
        {"mode": "ok", "times": 1},
        {"status": 503},
        {"times": 1},
        {"retryAfter": 1, "secret": None},
        {"secret": ""},
        {"secret": "whsec_"},
        {"secret": "whsec_A"},
        {"secret": "whsec_AAA!"},
        {"secret": "whsk_AAAA"},
        {"secret": "whsec_" + "A" * 260},
        {"secret": 1},
        {"secret": []},
        {"secret": [None]},
        {"secret": ["whsec_AAAA", "?"]},
        {"secret": ["whsec_AAAA"] * 6},
        {"secret": {"a": "whsec_AAAA"}},
    ],
    ids=str,
)
async def test_a_malformed_behaviour_changes_nothing(hook: Hook, fields: Any) -> None:
    before = await hook.behave(mode="fail", status=503, times=9, secret=new_secret())
    answer = await hook.try_to_behave(fields)
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert "AAA" not in answer.text, "no answer repeats a secret"
    assert await hook.behaviour() == before


@pytest.mark.parametrize("name", ["a", "Z9._-", "a" * 64, "..a", "behaviour"])
async def test_these_are_names(http: httpx.AsyncClient, name: str) -> None:
    hook = Hook(http, name)
    assert (await hook.send()).status_code == 200
    assert (await hook.listing())["count"] == 1
    await hook.delete()


@pytest.mark.parametrize(
    "name", ["a" * 65, "a b", "é", "a%0A", "%00", "a:b", "a,b", "%F0%9F%98%80"]
)
async def test_these_are_no_names(http: httpx.AsyncClient, name: str) -> None:
    hook = Hook(http, name)
    answers = [await hook.send(), await http.get(hook.path), await hook.try_to_behave({})]
    assert [answer.status_code for answer in answers] == [400, 400, 400]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"no json", "no json"),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b"[Infinity, -Infinity]", "[Infinity, -Infinity]"),
        (b'{"a": 1', '{"a": 1'),
        (b"a\xff\xfeb", "a\ufffd\ufffdb"),
        (b"\xef\xbb\xbf{}", "\ufeff{}"),
        (b"[" * 100_000, "[" * 100_000),
        (b"9" * 5_000, "9" * 5_000),
        ("{}".encode("utf-16"), "\ufffd\ufffd{\x00}\x00"),
    ],
    ids=range(10),
)
async def test_a_body_that_is_no_json_is_stored_as_text(hook: Hook, body: bytes, text: str) -> None:
    assert (await hook.post(body)).status_code == 200
    [item] = await hook.items()
    assert (item["body"], item["json"]) == (text, None)


@pytest.mark.parametrize(
    ("body", "decoded"),
    [
        ("null", None),
        ("[]", []),
        (' {"a": "ü\\u0000😀"} ', {"a": "ü\x00😀"}),
        ('{"a": 12345678901234567890, "b": 0.1}', {"a": 12345678901234567890, "b": 0.1}),
        ('"</script>"', "</script>"),
    ],
)
async def test_a_json_body_is_listed_as_text_and_decoded(
    hook: Hook, body: str, decoded: Any
) -> None:
    await hook.post(body.encode())
    [item] = await hook.items()
    assert (item["body"], item["json"]) == (body, decoded)


async def test_a_webhook_is_json_and_of_no_other_site(hook: Hook) -> None:
    answer = await hook.post("{}", {"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert (await hook.post("{}", {"Origin": "http://evil.example"})).status_code == 403
    assert (await hook.post("{}", {"Host": "evil.example"})).status_code == 421
    assert (await hook.listing())["received"] == 0
