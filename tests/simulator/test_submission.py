"""Validation of requests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator.messages.pricing import segments
from simulator.messages.submission import Malformed, parse_submission
from tests.simulator.harness import Client, Listener

MALFORMED: list[dict[str, Any]] = [
    {"channel": "FAX"},
    {"channel": None},
    {"to": None},
    {"to": ["+18135550000"]},
    {"to": ""},
    {"from": None},
    {"body": ""},
    {"body": 7},
    {"reference": None},
    {"callbackUrl": "ftp://example.test"},
    {"callbackUrl": "/callbacks"},
    {"callbackUrl": "http://[::1"},
    {"callbackUrl": "http://example.test/\r\nX: y"},
    {"notAfter": "tomorrow"},
    {"notAfter": "0001-01-01T00:00:00+14:00"},
    {"callbackUrl": "http://example.test/\x7f"},
    {"notAfter": "2099-01-01T00:00:00"},
    {"record": "yes"},
    {"maxDurationSeconds": 0},
    {"timeoutSeconds": True},
    {"headers": {"a": 1}},
    {"subject": 1},
    {"channel": "EMAIL", "to": []},
    {"channel": "EMAIL", "to": ["ann@example.test", 3]},
]


@pytest.mark.parametrize("change", MALFORMED, ids=str)
def test_a_field_of_the_wrong_shape_is_malformed(change: dict[str, Any]) -> None:
    good = Client("http://unused", Listener(url="http://127.0.0.1:1")).order()
    parse_submission(good)
    with pytest.raises(Malformed):
        parse_submission(good | change)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"channel":"SMS"}']
)
async def test_a_malformed_request_is_answered_with_400(client: Client, body: bytes) -> None:
    answer = await client.http.post("/messages", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


@pytest.mark.parametrize(
    "change",
    [
        {"to": "8135550000"},
        {"to": "+1 813"},
        {"channel": "EMAIL", "to": "nobody"},
        {"channel": "EMAIL", "to": "\ud800@x.test"},
    ],
    ids=str,
)
async def test_a_destination_that_cannot_exist_is_refused(
    client: Client, change: dict[str, Any]
) -> None:
    answer = await client.submit(client.order(**change))
    assert (answer.status_code, answer.json()["code"]) == (422, 21211)


async def test_a_request_after_its_time_is_refused(client: Client) -> None:
    order = client.order(notAfter=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    answer = await client.submit(order)
    assert (answer.status_code, answer.json()["code"]) == (422, 30036)
    assert await client.taken(order["reference"]) == []


async def test_text_that_is_no_text_is_taken_and_shown(client: Client) -> None:
    order = client.order(body="\ud800")
    id = await client.accepted(order)
    assert (await client.view(id))["segments"] == 1
    assert [copy["content"] for copy in await client.delivered(order["to"])] == ["\ud800"]


async def test_paths_and_methods_there_are_none_of_are_answered_in_json(client: Client) -> None:
    assert (await client.http.get("/nothing")).json()["code"] == 20404
    assert (await client.http.delete("/messages")).json()["code"] == 20001


async def test_unknown_fields_are_ignored(client: Client) -> None:
    await client.accepted(client.order(colour="green"))


def test_a_submission_survives_being_written_down() -> None:
    client = Client("http://unused", Listener(url="http://127.0.0.1:1"))
    for order in (
        client.order(),
        client.call(record=True, maxDurationSeconds=9),
        client.email(replyTo="me@example.test", html="<p>", body="", headers={"X-A": "b"}),
    ):
        submission = parse_submission(order)
        assert parse_submission(submission.document()) == submission


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("😀" * 36, 2),
    ],
)
def test_segments(body: str, count: int) -> None:
    assert segments(body) == count
