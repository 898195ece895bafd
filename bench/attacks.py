"""Load of one hostile client: each attack is a loop of requests for a bounded time.

Every attack runs in a process of its own (`python -m bench.attacks`), against 127.0.0.1 only, so
that it does not share the interpreter of the measured client.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeAlias

HOST: Final = "127.0.0.1"
MIB: Final = 1024 * 1024

_PATIENCE: Final = 5.0
"""Seconds the attacker waits for one response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacker:
    """The attacking tenant, with a valid key."""

    port: int
    key: str
    secret: str
    merchant: str


Requests: TypeAlias = Iterator[list[bytes]]
"""Requests as lists of parts; each part is written at once."""


def post(path: str, body: bytes, headers: dict[str, str], kind: str = "application/json") -> bytes:
    """Format a whole request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", f"Content-Type: {kind}"]
    lines += [f"Content-Length: {len(body)}", *(f"{n}: {v}" for n, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def get(path: str, headers: dict[str, str]) -> bytes:
    """Format a whole request without a body."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", *(f"{n}: {v}" for n, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _login(who: Attacker) -> dict[str, str]:
    return {"X-API-KEY": who.key, "X-API-SECRET": who.secret}


def _again(request: bytes) -> Requests:
    while True:
        yield [request]


def _specification(_who: Attacker) -> Requests:
    return _again(get("/v3/api-docs.yaml", {}))


def _long_header(_who: Attacker) -> Requests:
    begin = f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\nX-Long: ".encode()
    while True:
        yield [begin, *([b"a" * MIB] * 60), b"\r\n\r\n"]


def _many_headers(_who: Attacker) -> Requests:
    return _again(get("/healthz", {f"X-{number}": "a" for number in range(5000)}))


def _unknown_fields(who: Attacker) -> Requests:
    body = json.dumps({f"f{number}": 1 for number in range(80_000)}).encode()
    return _again(post("/api/v1/messages/sms", body[:MIB], _login(who)))


def _unknown_fields_within_the_limit(who: Attacker) -> Requests:
    body = json.dumps({f"f{number}": 1 for number in range(9_000)}).encode()
    return _again(post("/api/v1/messages/sms", body, _login(who)))


def _many_arrays(who: Attacker) -> Requests:
    body = b"[" + b"[]," * 340_000 + b"[]]"
    return _again(post("/api/v1/messages/email", body, _login(who)))


def _many_entries(who: Attacker) -> Requests:
    document = {
        "merchantId": who.merchant,
        "to": "+18135551234",
        "message": "x",
        "type": "OTP",
        "metadata": {f"m{number}": number for number in range(85_000)},
    }
    return _again(post("/api/v1/messages/sms", json.dumps(document).encode(), _login(who)))


def _escaped_email(who: Attacker) -> Requests:
    document = {
        "merchantId": who.merchant,
        "to": "nobody",
        "subject": "x",
        "body": "ж" * (MIB // 4),
        "type": "OTP",
    }
    return _again(post("/api/v1/messages/email", json.dumps(document).encode(), _login(who)))


def _unsigned_form(_who: Attacker) -> Requests:
    form = b"&".join(b"f%d=1" % number for number in range(95_000))
    kind = "application/x-www-form-urlencoded"
    return _again(post("/webhooks/twilio/inbound", form, {}, kind))


def _long_query(who: Attacker) -> Requests:
    return _again(get("/api/v1/merchants?" + "a&" * 20_000, _login(who)))


def _bad_logins(_who: Attacker) -> Requests:
    for number in count():
        login = {"X-API-KEY": f"hxk_nobody{number}", "X-API-SECRET": "wrong"}
        yield [get("/api/v1/merchants", login)]


def _wrong_secret(who: Attacker) -> Requests:
    return _again(get("/api/v1/merchants", {"X-API-KEY": who.key, "X-API-SECRET": "wrong"}))


def _reads(who: Attacker) -> Requests:
    return _again(get("/api/v1/merchants", _login(who)))


def _metrics(_who: Attacker) -> Requests:
    return _again(get("/metrics", {}))


def _readiness(_who: Attacker) -> Requests:
    return _again(get("/readyz", {}))


def _heavy_email(who: Attacker) -> Requests:
    """Ten e-mails whose text part is expensive to generate; a worker must send them."""
    html = "<table><tr><td>" + "lorem ipsum " * 18_300 + "</td></tr>"
    html += "<tr><td>b</td></tr>" * 2200 + "</table>"
    document = {
        "merchantId": who.merchant,
        "to": "a@example.com",
        "subject": "x",
        "body": html,
        "type": "OTP",
    }
    for _ in range(10):
        yield [post("/api/v1/messages/email", json.dumps(document).encode(), _login(who))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One kind of attack; `item` is its number in issue 11."""

    item: str
    requests: Callable[[Attacker], Requests]
    idle: int = 0
    """Additional connections that send half a request and then nothing."""


ATTACKS: Final[dict[str, Attack]] = {
    "api-docs.yaml": Attack(item="A4", requests=_specification),
    "60 MB header": Attack(item="A5", requests=_long_header),
    "5,000 headers": Attack(item="A5", requests=_many_headers),
    "slow clients": Attack(item="A6", requests=lambda _who: iter(()), idle=300),
    "1 MiB of fields": Attack(item="A7", requests=_unknown_fields),
    "9,000 fields": Attack(item="A7", requests=_unknown_fields_within_the_limit),
    "340,000 arrays": Attack(item="A7", requests=_many_arrays),
    "85,000 metadata": Attack(item="A7", requests=_many_entries),
    "escaped e-mail": Attack(item="A7", requests=_escaped_email),
    "unsigned form": Attack(item="A7", requests=_unsigned_form),
    "long query": Attack(item="A7", requests=_long_query),
    "unknown keys": Attack(item="A8", requests=_bad_logins),
    "wrong secret": Attack(item="A8", requests=_wrong_secret),
    "a key's reads": Attack(item="A8", requests=_reads),
    "/metrics": Attack(item="A8", requests=_metrics),
    "/readyz": Attack(item="A8", requests=_readiness),
    "e-mail tables": Attack(item="A1", requests=_heavy_email),
}
"""The last one keeps workers busy after its end, so it must stay last."""


def attack(name: str, who: Attacker, seconds: float) -> int:
    """Attack for `seconds`; return the number of answered requests."""
    until = time.monotonic() + seconds
    chosen = ATTACKS[name]
    idle = [_half_a_request(who.port) for _ in range(chosen.idle)]
    answered = 0
    connection: socket.socket | None = None
    for parts in chosen.requests(who):
        if time.monotonic() >= until:
            break
        connection = connection or socket.create_connection((HOST, who.port), _PATIENCE)
        if not _ask(connection, parts):
            connection.close()
            connection = None
        answered += 1
    if connection is not None:
        connection.close()
    time.sleep(max(0.0, until - time.monotonic()))
    for one in idle:
        one.close()
    return answered


def _half_a_request(port: int) -> socket.socket:
    connection = socket.create_connection((HOST, port), _PATIENCE)
    with suppress(OSError):
        connection.sendall(b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\n")
    return connection


def _ask(connection: socket.socket, parts: list[bytes]) -> bool:
    """Send one request and read its response; return whether the connection can be reused."""
    with suppress(OSError):
        for part in parts:
            connection.sendall(part)
    try:
        return _read_answer(connection)
    except OSError:
        return False


def _read_answer(connection: socket.socket) -> bool:
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(65536)
        if not part:
            return False
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.lower().partition(b":")[::2] for line in head.split(b"\r\n")[1:])
    missing = int(fields.get(b"content-length", b"0")) - len(body)
    while missing > 0:
        part = connection.recv(65536)
        if not part:
            return False
        missing -= len(part)
    return fields.get(b"connection", b"").strip() != b"close"


def main() -> None:
    """Run the attack that the arguments name and print the number of answered requests."""
    name, port, key, secret, merchant, seconds = sys.argv[1:]
    who = Attacker(port=int(port), key=key, secret=secret, merchant=merchant)
    print(attack(name, who, float(seconds)))


if __name__ == "__main__":
    main()
