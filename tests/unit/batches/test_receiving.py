"""Reading the body of a batch: mistakes, fingerprints, and the CPU time of each step."""

import json
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError

from api.services.messages.batches.receive import ReceivedBatch, receive_batch
from models.enums import Channel
from models.errors import HexavoxError, MalformedJson, UnsupportedMediaType, ValidationFailed
from models.rules.messages.batches.keys import MAX_LINES
from tests.contacts import CONTACT_KEYS

MIB = 1024 * 1024
JSON, NDJSON = "application/json", "application/x-ndjson"
HEAD = {"merchantId": "gym-a", "channel": "SMS"}
LINE = {"to": "+18135551234", "message": "Your OTP is 123456", "type": "OTP"}


def as_json(lines: list[Any], **head: Any) -> bytes:
    return json.dumps({**HEAD, **head, "messages": lines}).encode()


def as_ndjson(lines: list[Any], **head: Any) -> bytes:
    return "\n".join(json.dumps(line) for line in [{**HEAD, **head}, *lines]).encode()


def run(
    body: bytes, content_type: str = JSON, *, piece: int = 64 * 1024
) -> tuple[ReceivedBatch, float]:
    """Read a body; return the batch, and the CPU time of its longest step."""
    worst, steps = 0.0, reading(body, content_type, piece)
    while True:
        began = time.thread_time()
        try:
            steps.send(None)
        except StopIteration as ended:
            return ended.value, worst
        except (HexavoxError, RequestValidationError) as error:
            error.__notes__ = [str(max(worst, time.thread_time() - began))]
            raise
        finally:
            worst = max(worst, time.thread_time() - began)


def reading(body: bytes, content_type: str, piece: int) -> Coroutine[Any, None, ReceivedBatch]:
    async def pieces() -> AsyncIterator[bytes]:
        for n in range(0, len(body), piece):
            yield body[n : n + piece]

    return receive_batch(pieces(), content_type, CONTACT_KEYS)


def received(body: bytes, content_type: str = JSON) -> ReceivedBatch:
    return run(body, content_type)[0]


@pytest.mark.parametrize(
    ("body", "content_type"), [(as_json([LINE] * 3), JSON), (as_ndjson([LINE] * 3), NDJSON)]
)
@pytest.mark.parametrize("piece", [1, 7, 64 * 1024])
def test_a_batch_is_read_however_it_arrives(body: bytes, content_type: str, piece: int) -> None:
    batch, _ = run(body, content_type, piece=piece)
    assert (batch.merchant, batch.channel) == ("gym-a", Channel.SMS)
    assert [json.loads(line.text) for line in batch.lines] == [LINE] * 3


def test_the_head_of_json_may_follow_the_messages() -> None:
    body = json.dumps({"messages": [LINE], **HEAD}).encode()
    assert received(body) == received(as_json([LINE]))


def test_equal_batches_have_one_fingerprint_and_others_have_others() -> None:
    lines: list[dict[str, Any]] = [LINE, {**LINE, "key": "k", "metadata": {"a": "1", "b": "2"}}]
    same = [
        (as_json(lines), JSON),
        (as_ndjson(lines), NDJSON),
        (as_ndjson(lines).replace(b"\n", b"\r\n") + b"\n\n", NDJSON),
        (json.dumps({"messages": lines, **HEAD}, indent=3, sort_keys=True).encode(), JSON),
        (as_json([dict(reversed(line.items())) for line in lines]), JSON),
        (as_json(lines).replace(b"OTP", b"\\u004fTP"), "application/json; charset=utf-8"),
    ]
    assert len({received(*body).fingerprint for body in same}) == 1
    others = [
        as_json(lines[::-1]),
        as_json(lines[:1]),
        as_json([*lines, LINE]),
        as_json(lines, channel="VOICE"),
        as_json(lines, merchantId="gym-b"),
        as_json([LINE, {**lines[1], "key": "l"}]),
        as_json([LINE, {**lines[1], "metadata": {"a": "1"}}]),
        as_json([LINE, {**lines[1], "sendAt": None}]),
    ]
    assert len({received(body).fingerprint for body in [same[0][0], *others]}) == len(others) + 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [("k", "k"), ('"k"', "k"), ("~" * 255, "~" * 255), ('"' * 3, '"'), (None, None)],
)
def test_a_key_has_the_form_of_the_header(given: str | None, kept: str | None) -> None:
    assert received(as_json([{**LINE, "key": given}])).lines[0].key == kept


@pytest.mark.parametrize(
    "given", ["", "a b", "ж", "~" * 256, 7, True, ["k"], {"k": 1}, '""', "a\n"]
)
def test_another_key_is_refused_with_its_line(given: Any) -> None:
    for body, kind in ((as_json, JSON), (as_ndjson, NDJSON)):
        with pytest.raises(ValidationFailed) as told:
            received(body([LINE, {**LINE, "key": given}]), kind)
        assert told.value.errors == (
            ("messages.1.key", "must be 1 to 255 visible ASCII characters"),
        )
        assert told.value.detail.startswith("Line 2: key: ")


@pytest.mark.parametrize("line", [[], "text", 7, None, True, [LINE]])
def test_a_line_is_an_object(line: Any) -> None:
    for body, kind in ((as_json, JSON), (as_ndjson, NDJSON)):
        with pytest.raises(ValidationFailed) as told:
            received(body([LINE, line]), kind)
        assert told.value.errors == (("messages.1", "must be an object"),)


def test_the_number_of_lines_is_bounded() -> None:
    assert len(received(as_json([{}] * MAX_LINES)).lines) == MAX_LINES
    assert len(received(as_ndjson([{}] * MAX_LINES), NDJSON).lines) == MAX_LINES
    for body, kind in ((as_json, JSON), (as_ndjson, NDJSON)):
        for count in (0, MAX_LINES + 1):
            with pytest.raises(ValidationFailed) as told:
                received(body([{}] * count), kind)
            assert [name for name, _ in told.value.errors] == ["messages"]


@pytest.mark.parametrize(
    "head",
    [
        {"merchantId": "gym-a"},
        {"channel": "SMS"},
        {**HEAD, "channel": "FAX"},
        {**HEAD, "channel": None},
        {**HEAD, "merchantId": 7},
        {**HEAD, "merchantId": "-"},
        {**HEAD, "surplus": 1},
        {**HEAD, "key": "k"},
    ],
)
def test_a_wrong_head_is_refused(head: dict[str, Any]) -> None:
    with pytest.raises(RequestValidationError):
        received(json.dumps({**head, "messages": [LINE]}).encode())
    with pytest.raises(RequestValidationError):
        received("\n".join([json.dumps(head), json.dumps(LINE)]).encode(), NDJSON)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/csv", "application/xml", "application/x-ndjson; charset=latin-1",
     "application/json; charset=utf-16", "multipart/form-data", "application/x-www-form-urlencoded",
     "application/ndjson+xml", "json"],
)  # fmt: skip
def test_other_media_types_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="application/x-ndjson"):
        received(as_json([LINE]), content_type)


def test_no_error_quotes_the_text() -> None:
    secret = "hunter2"
    bad = [
        as_json([LINE]).replace(b"Your OTP", secret.encode() + b"\xff"),
        as_json([{**LINE, "message": secret + "\x00"}]),
        as_json([{**LINE, "message": secret}])[:-9],
        as_json([{**LINE, "message": secret}]).replace(b'"type"', b"type"),
        as_json([{**LINE, "message": secret}]).replace(b'"type"', b'"message":1,"type"'),
    ]
    for body in bad:
        with pytest.raises((ValidationFailed, MalformedJson)) as told:
            received(body)
        assert secret not in told.value.detail + str(told.value.errors)


def filled(line: bytes, size: int = 10 * MIB) -> bytes:
    """Return a JSON body of nearly a size, of equal lines."""
    count = min(MAX_LINES, (size - 60) // (len(line) + 1))
    return b'{"merchantId":"gym-a","channel":"SMS","messages":[' + b",".join([line] * count) + b"]}"


PADDED = json.dumps({**LINE, "metadata": {f"n{n}": "v" * 13 for n in range(38)}}).encode()


@pytest.mark.parametrize(
    "body",
    [
        filled(b"{}"),
        filled(PADDED),
        filled(b'{"a":"' + b"x" * (4 * MIB - 9) + b'"}'),
        filled(b'{"a":"' + b"\\u00e9" * (4 * MIB // 6 - 9) + b'"}'),
        filled(b'{"a":"' + "ж".encode() * (2 * MIB - 9) + b'"}'),
        filled(b'{"a":[' + b",".join([b'[""]'] * 40) + b"]}"),
    ],
    ids=["short", "full", "long", "escaped", "Cyrillic", "nested"],
)
@pytest.mark.parametrize("kind", [JSON, NDJSON])
def test_no_step_is_long_for_a_body_of_10_mib(body: bytes, kind: str) -> None:
    if kind == NDJSON:
        head, _, lines = body.partition(b',"messages":[')
        body = head + b"}\n" + lines.removesuffix(b"]}").replace(b"},{", b"}\n{")
    batch, worst = run(body, kind)
    assert len(batch.lines) in (2, MAX_LINES)
    assert worst < 0.5  # 5 ms; 20 for lines of 4 MiB, which no message has


@pytest.mark.parametrize(
    "piece",
    [
        b"[",
        b"{",
        b"[],",
        b"{},",
        b'"',
        b'"",',
        b"\\",
        b"1,",
        b"1",
        b" ",
        b'{"a":',
        b'{"":""},',
        b"\n",
    ],
    ids=repr,
)
@pytest.mark.parametrize("begin", [b"", b'{"messages":[', b'{"messages":[{"a":["', b"{}\n"])
def test_no_step_is_long_for_a_hostile_body(begin: bytes, piece: bytes) -> None:
    body = begin + piece * (10 * MIB // len(piece))
    for kind in (JSON, NDJSON):
        try:
            _, worst = run(body, kind)
        except (HexavoxError, RequestValidationError) as error:
            worst = float(error.__notes__[0])
        assert worst < 0.5
