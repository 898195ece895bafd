"""Invalid input gets a 4xx, never a 500, and has no effect."""

import json
from typing import Any

import httpx
import pytest

from tests.api.integrator import DIRECT, GYM, SMS, Integrator

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
        (b"[" * 9_000, "MALFORMED_JSON"),
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
        {"timezone": "localtime"},
        {"timezone": "Factory"},
        {"timezone": "posixrules"},
        {"timezone": "posix/America/New_York"},
        {"timezone": "right/UTC"},
        {"timezone": "America"},
        {"timezone": "america/new_york"},
        {"timezone": " America/New_York"},
        {"timezone": "America/New_York\n"},
        {"timezone": "UTC+2"},
        {"timezone": "EST5"},
        {"timezone": "zone1970.tab"},
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
async def test_another_content_type_than_json_is_415(
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


async def test_without_credentials_every_error_is_401(client: httpx.AsyncClient) -> None:
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


_FLOODS: dict[str, tuple[str, bytes, str]] = {
    "fields": (
        "/messages/sms",
        json.dumps({f"f{number}": 1 for number in range(9_000)}).encode(),
        "body: has more than 200 entries",
    ),
    "fields, 201": (
        "/merchants",
        json.dumps({f"f{number}": 1 for number in range(201)}).encode(),
        "body: has more than 200 entries",
    ),
    "arrays": (
        "/messages/sms",
        b"[" + b"[]," * 100_000 + b"[]]",
        "body: has more than 10000 values",
    ),
    "deep arrays": (
        "/messages/email",
        b'{"a":' + b"[" * 20 + b"[]," * 300_000 + b"[]" + b"]" * 20 + b"}",
        "body: has more than 10000 values",
    ),
    "strings": (
        "/messages/quote",
        b"[" + b'"",' * 1_000_000 + b'""]',
        "body: has more than 10000 values",
    ),
    "metadata": (
        "/messages/sms",
        json.dumps({**SMS, "metadata": {f"m{n}": n for n in range(8_000)}}).encode(),
        "metadata: has more than 200 entries",
    ),
    "recipients": (
        "/email/send",
        json.dumps({**DIRECT, "to": ["a@b.example"] * 5_000}).encode(),
        "to: has more than 200 entries",
    ),
    "samples": (
        "/merchants/gym-a/messaging/campaigns",
        json.dumps({"samples": [1] * 5_000}).encode(),
        "samples: has more than 200 entries",
    ),
    "in the depth": (
        "/merchants",
        json.dumps({"a": [{"b": [{"c": 1}, [0] * 201]}]}).encode(),
        "a.0.b.1: has more than 200 entries",
    ),
    "whole numbers": (
        "/messages/email",
        b"[" + b",".join([b"9" * 4_300] * 900) + b"]",
        "body: a number has more than 100 characters",
    ),
    "fraction": (
        "/merchants",
        b'{"smsLimit":0.' + b"1" * 4_000 + b"}",
        "body: a number has more than 100 characters",
    ),
}


@pytest.mark.parametrize("name", _FLOODS)
async def test_a_flood_is_refused_by_one_error(integrator: Integrator, name: str) -> None:
    path, body, detail = _FLOODS[name]
    answer = await integrator.send_raw(path, body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "VALIDATION_FAILED")
    assert (problem["detail"], len(problem["errors"])) == (detail, 1)


@pytest.mark.parametrize("path", ["/merchants", "/messages/sms", "/messages/batch", "/webhooks"])
@pytest.mark.parametrize(
    "number",
    [
        "1e9999999999999999999",
        "-1e9999999999999999999",
        "1e-9999999999999999999",
        "0e9999999999999999999",
        "1.5E+99999999999999999999999999",
        "1e999999999999999999",
        "1e131073",
        "1e-16384",
        "0.1e-1001",
        "12e1001",
    ],
)
async def test_a_number_of_another_magnitude_is_400(
    integrator: Integrator, path: str, number: str
) -> None:
    answer = await integrator.send_raw(path, f'{{"smsLimit":{number}}}'.encode())
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "VALIDATION_FAILED")
    assert problem["detail"] == "body: a number is too large or too small"


async def test_at_most_50_errors_are_listed(integrator: Integrator) -> None:
    answer = await integrator.post("/merchants", {f"f{number}": 1 for number in range(200)})
    assert (answer.status_code, len(answer.json()["errors"])) == (400, 50)
    one = await integrator.post("/messages/sms", {**SMS, "metadata": dict.fromkeys("abcdef", 1)})
    assert len(one.json()["errors"]) == 6


async def test_values_at_their_limits_are_accepted(gym: Integrator) -> None:
    metadata = {chr(0x1F600 + number) * 40: "😀" * 500 for number in range(50)}
    document = json.dumps({**SMS, "metadata": metadata}).encode()
    assert len(document) > 320_000
    assert (await gym.send_raw("/messages/sms", document)).status_code == 200
    everybody = [f"{'x' * 50}{number}@{'y' * 60}.example.com" for number in range(50)]
    assert (await gym.post("/email/send", {**DIRECT, "to": everybody})).status_code == 200


@pytest.mark.parametrize("query", ["a&" * 20_000, "&" * 60_000, "limit=1&" * 50, "a=%41&" * 9_000])
async def test_a_query_of_many_parameters_is_400(integrator: Integrator, query: str) -> None:
    for path in ("/api/v1/merchants", "/", "/healthz", "/nowhere"):
        answer = await integrator.client.get(f"{path}?{query}", headers=integrator.headers)
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "The query has more than 50 parameters.",
        )


async def test_a_path_longer_than_any_is_404(integrator: Integrator) -> None:
    for path in ("a" * 60_000, "/" * 60_000, "%41" * 10_000, "a/" * 1_100, "ж" * 2_100):
        answer = await integrator.client.get(
            f"/api/v1/merchants/{path}", headers=integrator.headers
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_cookies_are_nothing_to_us(integrator: Integrator) -> None:
    headers = {**integrator.headers, "Cookie": "a=b;" * 15_000}
    answer = await integrator.client.get("/api/v1/merchants", headers=headers)
    assert answer.status_code == 200
