"""Whatever arrives gets its 4xx, never a 500, and leaves nothing behind."""

import json
from typing import Any

import httpx
import pytest

from tests.api.integrator import GYM, Integrator

_NAME = '{"merchantId":"m","displayName":%s}'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "VALIDATION_FAILED"),
        (b"{", "MALFORMED_JSON"),
        (b"not json", "MALFORMED_JSON"),
        (b'{"a":1}{"a":1}', "MALFORMED_JSON"),
        (b"\xff\xfe{}", "MALFORMED_JSON"),
        (b'{"merchantId":"m","displayName":"\xc3\x28"}', "MALFORMED_JSON"),
        (json.dumps(GYM).encode("utf-16"), "MALFORMED_JSON"),
        (b"[" * 100_000, "MALFORMED_JSON"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "MALFORMED_JSON"),
        (b"[" * 40 + b"]" * 40, "MALFORMED_JSON"),
        (b'{"merchantId":"m","merchantId":"n","displayName":"x"}', "MALFORMED_JSON"),
        (b'{"smsLimit":NaN}', "MALFORMED_JSON"),
        (b'{"smsLimit":Infinity}', "MALFORMED_JSON"),
        (b'{"smsLimit":-Infinity}', "MALFORMED_JSON"),
        (b'{"smsLimit":' + b"9" * 5000 + b"}", "MALFORMED_JSON"),
        (b'{"smsLimit":' + b"9" * 4000 + b"}", "VALIDATION_FAILED"),
        (b'{"smsLimit":1e400}', "VALIDATION_FAILED"),
        (b'{"smsLimit":1e999999999}', "VALIDATION_FAILED"),
        (b"null", "VALIDATION_FAILED"),
        (b"[]", "VALIDATION_FAILED"),
        (b'"text"', "VALIDATION_FAILED"),
        (b"7", "VALIDATION_FAILED"),
        ((_NAME % '"a\\u0000b"').encode(), "VALIDATION_FAILED"),
        ((_NAME % '"\\ud800"').encode(), "VALIDATION_FAILED"),
        ((_NAME % '"\\udc00\\ud800"').encode(), "VALIDATION_FAILED"),
        (b'{"\\u0000":1}', "VALIDATION_FAILED"),
        (b'{"\\ud800":1}', "VALIDATION_FAILED"),
        (b'{"merchantId":"m","displayName":"x","deep":{"er":["\\u0000"]}}', "VALIDATION_FAILED"),
    ],
)
async def test_a_broken_body_is_400(integrator: Integrator, body: bytes, code: str) -> None:
    response = await integrator.send_raw("/merchants", body)
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert (await integrator.get("/merchants")).json() == []


@pytest.mark.parametrize(
    "change",
    [
        {"merchantId": ""},
        {"merchantId": "-a"},
        {"merchantId": "a" * 65},
        {"merchantId": "a/b"},
        {"merchantId": "a\n"},
        {"merchantId": "gym-ä"},
        {"merchantId": 7},
        {"merchantId": None},
        {"displayName": ""},
        {"displayName": "x" * 201},
        {"displayName": ["x"]},
        {"active": "true"},
        {"active": 1},
        {"smsLimit": -1},
        {"smsLimit": 2**31},
        {"smsLimit": 2**63},
        {"smsLimit": "5"},
        {"smsLimit": 5.0},
        {"smsLimit": True},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"timezone": ""},
        {"unknown": 1},
        {"display_name": "x"},
    ],
)
async def test_a_field_that_does_not_fit_is_named(
    integrator: Integrator, change: dict[str, Any]
) -> None:
    response = await integrator.post("/merchants", {**GYM, **change})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "VALIDATION_FAILED")
    assert [error["field"] for error in problem["errors"]] == list(change)
    assert (await integrator.get("/merchants")).json() == []


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/jsonp",
        "garbage",
    ],
)
async def test_what_is_not_declared_json_is_415(
    integrator: Integrator, content_type: str | None
) -> None:
    response = await integrator.send_raw("/merchants", json.dumps(GYM).encode(), content_type)
    assert (response.status_code, response.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json;charset=UTF-8", 'APPLICATION/JSON; charset="utf-8"'],
)
async def test_json_may_be_declared_in_many_ways(integrator: Integrator, content_type: str) -> None:
    response = await integrator.send_raw("/merchants", json.dumps(GYM).encode(), content_type)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "unknown=1",
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "cursor=x",
        "cursor=%00",
        "cursor=W10",
        "cursor=WzEuNV0",
        "cursor=Wy0xXQ",
        "cursor=W3RydWVd",
        "cursor=WzEsMl0",
        "cursor=%F0%9F%92%A3",
        "cursor=" + "W" * 301,
        "cursor=",
        "%00=1",
    ],
)
async def test_a_senseless_query_is_400(integrator: Integrator, query: str) -> None:
    response = await integrator.client.get(f"/api/v1/merchants?{query}", headers=integrator.headers)
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_a_cursor_from_another_age_is_400(integrator: Integrator) -> None:
    response = await integrator.get("/consents", cursor="WzkyMjMzNzIwMzY4NTQ3NzU4MDcsMV0")
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_a_path_with_nul_is_400(integrator: Integrator) -> None:
    response = await integrator.get("/merchants/a%00b")
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_a_stranger_learns_nothing_but_that_he_is_one(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/api/v1/merchants", content=b"{", headers={"Content-Type": "x/y"}),
        await client.get("/api/v1/merchants?unknown=1"),
        await client.post("/api/v1/consents", content=b"\xff"),
    ]
    assert {answer.status_code for answer in answers} == {401}


async def test_unknown_paths_and_methods_are_problems(integrator: Integrator) -> None:
    missing = await integrator.get("/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    wrong = await integrator.client.delete("/api/v1/merchants", headers=integrator.headers)
    assert (wrong.status_code, wrong.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/merchants", "GET, HEAD, POST"),
        ("FROB", "/api/v1/merchants", "GET, HEAD, POST"),
        ("OPTIONS", "/api/v1/merchants", "GET, HEAD, POST"),
        ("HEAD", "/api/v1/email/send", "POST"),
        ("PATCH", "/api/v1/merchants/gym-a/messaging/brand", "GET, HEAD, POST"),
        ("PUT", "/api/v1/merchants/gym-a/messaging/numbers/+18132201000", "DELETE"),
        ("PUT", "/api/v1/messages/inbound", "GET, HEAD"),
        ("PUT", "/api/v1/messages/sms", "POST"),
        ("PUT", "/api/v1/messages/7", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/assets/portal.css", "GET, HEAD"),
    ],
)
async def test_a_405_names_every_method_of_the_path(
    integrator: Integrator, method: str, path: str, allowed: str
) -> None:
    answer = await integrator.client.request(method, path, headers=integrator.headers)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
