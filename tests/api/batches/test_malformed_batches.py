"""Bodies that are no batch are refused as a whole, with a stable code, and nothing is stored."""

import json
from typing import Any

import pytest

from models.session import Database
from tests.api.batches.bodies import HEAD, NDJSON, batch, line, ndjson, send, stored
from tests.api.integrator import Integrator

JSON = "application/json"
MALFORMED = (400, "MALFORMED_JSON")
INVALID = (400, "VALIDATION_FAILED")
TOO_LARGE = (413, "PAYLOAD_TOO_LARGE")
WRONG_TYPE = (415, "UNSUPPORTED_MEDIA_TYPE")

GOOD = json.dumps(batch(2)).encode()
LINES = ndjson(batch(2))
_LINE = json.dumps(line(1)).encode()
_DEEP = b'{"a":' * 40 + b"1" + b"}" * 40
_MANY = json.dumps({str(n): n for n in range(201)}).encode()


def around(item: bytes) -> bytes:
    """Return a batch with a second line of any bytes."""
    return b'{"merchantId":"gym-a","channel":"SMS","messages":[' + _LINE + b"," + item + b"]}"


def beneath(item: bytes) -> bytes:
    """Likewise as NDJSON."""
    return json.dumps(HEAD).encode() + b"\n" + _LINE + b"\n" + item + b"\n"


ITEMS: dict[str, tuple[bytes, tuple[int, str]]] = {
    "truncated": (_LINE[:-1], MALFORMED),
    "truncated in a string": (_LINE[:-2], MALFORMED),
    "two values": (_LINE + b" {}", MALFORMED),
    "a trailing comma": (b'{"a":1,}', MALFORMED),
    "a comment": (b"{} // x", MALFORMED),
    "single quotes": (b"{'a':1}", MALFORMED),
    "a bare word": (b"{a:1}", MALFORMED),
    "NaN": (b'{"a":NaN}', MALFORMED),
    "infinity": (b'{"a":-Infinity}', MALFORMED),
    "a leading zero": (b'{"a":01}', MALFORMED),
    "a control character": (b'{"a":"x\x01y"}', MALFORMED),
    "a raw NUL": (b'{"a":"x\x00y"}', MALFORMED),
    "a bad escape": (b'{"a":"\\x41"}', MALFORMED),
    "a byte order mark": (b"\xef\xbb\xbf{}", MALFORMED),
    "a key given twice": (b'{"to":"1","to":"1"}', MALFORMED),
    "a key given twice inside": (b'{"metadata":{"a":"1","\\u0061":"1"}}', MALFORMED),
    "invalid UTF-8": (b'{"a":"\xff"}', MALFORMED),
    "overlong UTF-8": (b'{"a":"\xc0\xaf"}', MALFORMED),
    "a surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', MALFORMED),
    "latin-1": ('{"a":"größe"}'.encode("latin-1"), MALFORMED),
    "UTF-16": ("{}".encode("utf-16"), MALFORMED),
    "deep nesting": (_DEEP, MALFORMED),
    "very deep nesting": (b"[" * 9_000 + b"]" * 9_000, MALFORMED),
    "many values": (b"[" * 100_000 + b"]" * 100_000, INVALID),
    "an integer of 5,000 digits": (b'{"a":' + b"1" * 5000 + b"}", MALFORMED),
    "nothing": (b" ", MALFORMED),
    "an escaped NUL": (b'{"message":"x\\u0000y"}', INVALID),
    "an escaped NUL in a name": (b'{"metadata":{"\\u0000":"y"}}', INVALID),
    "a lone surrogate": (b'{"message":"\\ud800"}', INVALID),
    "a lone surrogate before a letter": (b'{"message":"\\ud800\\u0041"}', INVALID),
    "reversed surrogates": (b'{"message":"\\udc00\\ud800"}', INVALID),
    "an integer of 200 digits": (b'{"a":' + b"1" * 200 + b"}", INVALID),
    "a huge exponent": (b'{"a":1e9999999999999999999}', INVALID),
    "a large exponent": (b'{"a":1e200000}', INVALID),
    "a small exponent": (b'{"a":1e-200000}', INVALID),
    "many members": (_MANY, INVALID),
    "an array": (b"[]", INVALID),
    "a string": (b'"text"', INVALID),
    "null": (b"null", INVALID),
    "a number": (b"7", INVALID),
    "an empty key": (b'{"key":""}', INVALID),
    "a key with a space": (b'{"key":"a b"}', INVALID),
    "a number as key": (b'{"key":7}', INVALID),
    "a long key": (json.dumps({"key": "k" * 256}).encode(), INVALID),
    "a line over 4 MiB": (b'{"a":"' + b"x" * (4 * 1024 * 1024) + b'"}', TOO_LARGE),
}


@pytest.mark.parametrize("name", ITEMS)
@pytest.mark.parametrize("kind", [JSON, NDJSON])
async def test_one_wrong_line_refuses_the_batch(
    gym: Integrator, database: Database, name: str, kind: str
) -> None:
    item, expected = ITEMS[name]
    # An empty line at the end is allowed; one before another is not.
    body = around(item) if kind == JSON else beneath(item + b"\n{}")
    assert await refused(gym, database, body, kind) == expected


BODIES: dict[str, tuple[bytes, str, tuple[int, str]]] = {
    "no body": (b"", JSON, INVALID),
    "no lines": (b"", NDJSON, INVALID),
    "blanks": (b" \r\n ", JSON, INVALID),
    "empty lines": (b"\n\n", NDJSON, INVALID),
    "only the head": (json.dumps(HEAD).encode(), NDJSON, INVALID),
    "no messages": (json.dumps(HEAD).encode(), JSON, INVALID),
    "an empty array": (json.dumps({**HEAD, "messages": []}).encode(), JSON, INVALID),
    "messages are an object": (json.dumps({**HEAD, "messages": {}}).encode(), JSON, INVALID),
    "messages are null": (json.dumps({**HEAD, "messages": None}).encode(), JSON, INVALID),
    "messages are a string": (json.dumps({**HEAD, "messages": "x"}).encode(), JSON, INVALID),
    "another name": (GOOD.replace(b"messages", b"lines"), JSON, INVALID),
    "an array": (b"[" + GOOD + b"]", JSON, INVALID),
    "an array of arrays": (b"[[{}],[{}]]", JSON, INVALID),
    "a string": (b'"x"', JSON, INVALID),
    "two arrays": (GOOD[:-1] + b',"more":[1]}', JSON, INVALID),
    "messages twice": (GOOD[:-1] + b',"messages":[]}', JSON, INVALID),
    "the channel twice": (GOOD[:-1] + b',"channel":"SMS"}', JSON, MALFORMED),
    "an unknown field": (GOOD[:-1] + b',"surplus":1}', JSON, INVALID),
    "no merchant": (GOOD.replace(b"merchantId", b"tenantId"), JSON, INVALID),
    "an unknown channel": (GOOD.replace(b'"SMS"', b'"FAX"'), JSON, INVALID),
    "NUL in the head": (GOOD.replace(b"gym-a", b"gym\\u0000"), JSON, INVALID),
    "a trailing comma": (GOOD[:-2] + b",]}", JSON, MALFORMED),
    "a leading comma": (GOOD.replace(b"[", b"[,", 1), JSON, MALFORMED),
    "truncated": (GOOD[:-1], JSON, MALFORMED),
    "truncated in a line": (GOOD[:-20], JSON, MALFORMED),
    "one brace": (b"{", JSON, MALFORMED),
    "text behind": (GOOD + b"x", JSON, MALFORMED),
    "two documents": (GOOD + GOOD, JSON, INVALID),
    "a wrong bracket": (GOOD[:-2] + b"}]", JSON, MALFORMED),
    "too many closing brackets": (b"]" + GOOD, JSON, MALFORMED),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, JSON, MALFORMED),
    "UTF-16": (GOOD.decode().encode("utf-16"), JSON, MALFORMED),
    "NDJSON sent as JSON": (LINES, JSON, MALFORMED),
    "JSON sent as NDJSON": (GOOD, NDJSON, INVALID),
    "indented JSON sent as NDJSON": (json.dumps(batch(2), indent=1).encode(), NDJSON, MALFORMED),
    "the head last": (b"\n".join(LINES.splitlines()[::-1]), NDJSON, INVALID),
    "no head": (LINES.partition(b"\n")[2], NDJSON, INVALID),
    "a head with messages": (GOOD + b"\n" + LINES, NDJSON, INVALID),
    "an array as head": (b"[]\n" + LINES, NDJSON, INVALID),
    "an empty line before the head": (b"\n" + LINES, NDJSON, MALFORMED),
    "an empty line in between": (LINES.replace(b"\n", b"\n\n", 1), NDJSON, MALFORMED),
    "a line of blanks in between": (LINES.replace(b"\n", b"\n \t\r\n", 1), NDJSON, MALFORMED),
    "lines that end with CR only": (LINES.replace(b"\n", b"\r"), NDJSON, MALFORMED),
    "lines divided by commas": (LINES.replace(b"\n", b",\n"), NDJSON, MALFORMED),
    "truncated in the last line": (LINES[:-2], NDJSON, MALFORMED),
    "10,001 lines": (json.dumps(batch(10_001)).encode(), JSON, INVALID),
    "10,001 lines of NDJSON": (ndjson(batch(10_001)), NDJSON, INVALID),
    "10 MiB and a byte": (GOOD.ljust(10 * 1024 * 1024 + 1), JSON, TOO_LARGE),
    "10 MiB and a byte of NDJSON": (LINES.ljust(10 * 1024 * 1024 + 1, b"\n"), NDJSON, TOO_LARGE),
    "a large head": (GOOD[:-1] + b',"a":"' + b"x" * 65_536 + b'"}', JSON, TOO_LARGE),
    "a large first line": (b'{"a":"' + b"x" * 65_536 + b'"}\n{}', NDJSON, TOO_LARGE),
    **{
        f"as {kind!r}": (GOOD, kind, WRONG_TYPE)
        for kind in (
            "text/plain",
            "text/csv",
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/octet-stream",
            "application/json; charset=latin-1",
            "application/x-ndjson; charset=utf-16",
            "application/json-seq",
            "",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
async def test_another_body_is_refused(gym: Integrator, database: Database, name: str) -> None:
    body, kind, expected = BODIES[name]
    assert await refused(gym, database, body, kind) == expected


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (GOOD, "application/json; charset=UTF-8"),
        (GOOD, "application/vnd.gym+json"),
        (GOOD.ljust(10 * 1024 * 1024), JSON),
        (b"\r\n" + GOOD + b"\n", JSON),
        (json.dumps(batch(2), indent=4).encode(), JSON),
        (json.dumps({"messages": batch(2)["messages"], **HEAD}).encode(), JSON),
        (GOOD.replace(b'"messages"', b'"m\\u0065ssages"'), JSON),
        (LINES, "Application/X-NDJSON;charset=utf-8"),
        (LINES, "application/ndjson"),
        (LINES, "application/jsonl"),
        (LINES.rstrip(), NDJSON),
        (LINES.replace(b"\n", b"\r\n"), NDJSON),
        (LINES + b"\n \r\n", NDJSON),
        (LINES.ljust(10 * 1024 * 1024, b"\n"), NDJSON),
        (LINES.replace(b"{", b" { "), NDJSON),
    ],
    ids=range(15),
)
async def test_what_is_unusual_but_clear_is_taken(
    gym: Integrator, database: Database, body: bytes, kind: str
) -> None:
    answer = await send(gym, body, kind)
    assert (answer.status_code, answer.json().get("total")) == (200, 2)
    (row,) = await stored(database, gym.tenant_id)
    assert row.requests == batch(2)["messages"]


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_body_is_refused(
    gym: Integrator, database: Database, coding: str
) -> None:
    answer = await gym.client.post(
        "/api/v1/messages/batch",
        content=LINES,
        headers={**gym.headers, "Content-Type": NDJSON, "Content-Encoding": coding},
    )
    assert (answer.status_code, answer.json()["code"]) == WRONG_TYPE
    assert await stored(database, gym.tenant_id) == []


async def test_a_mistake_is_told_with_its_line(gym: Integrator) -> None:
    for body, kind in ((around(b'{"key":7}'), JSON), (beneath(b'{"key":7}'), NDJSON)):
        problem: dict[str, Any] = (await send(gym, body, kind)).json()
        assert problem["detail"] == "Line 2: key: must be 1 to 255 visible ASCII characters"
        assert problem["errors"] == [
            {"field": "messages.1.key", "message": "must be 1 to 255 visible ASCII characters"}
        ]
    problem = (await send(gym, beneath(b'{"a" 1}'), NDJSON)).json()
    assert problem["detail"].startswith("Line 2: ")


async def refused(gym: Integrator, database: Database, body: bytes, kind: str) -> tuple[int, str]:
    """Send a body with a key; return the error, after checking that it had no effect."""
    answer = await send(gym, body, kind, key="k")
    assert await stored(database, gym.tenant_id) == []
    problem = answer.json()
    assert problem["detail"]
    return answer.status_code, problem["code"]
