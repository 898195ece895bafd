"""Framing: bodies, chunks, trailers, upgrades, and the next request on a connection."""

import json

import pytest

from tests.api.integrator import GYM, Integrator
from tests.api.raw_http import Answer, Server

KIB = 1024
NEXT = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
REPORT = b"POST /webhooks/simulator/inbound HTTP/1.1\r\nHost: x\r\n"
"""Reads its body before anything else, and asks for no credentials; then 404."""

INVALID = (400, "VALIDATION_FAILED")
TOO_LARGE = (431, "HEADERS_TOO_LARGE")
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def put_merchant(integrator: Integrator, *more: str) -> bytes:
    """Write the head of a request that creates the guide's merchant, up to its body's length."""
    lines = ["POST /api/v1/merchants HTTP/1.1", "Host: x", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in integrator.headers.items()]
    return "\r\n".join([*lines, *more, ""]).encode()


BODY = json.dumps(GYM).encode()


def length(size: int) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % size


@pytest.mark.parametrize(
    "offer",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ"),
        ("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: eA==",
         "Sec-WebSocket-Version: 13"),
        ("Connection: Upgrade", "Upgrade: TLS/1.0, HTTP/2.0"),
        ("Connection: keep-alive, Upgrade", "Upgrade: anything/1"),
        ("Upgrade: h2c",),
        ("Connection: Upgrade",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("split", ["at once", "a moment later", "chunked"])
async def test_an_offer_to_upgrade_is_ignored_and_the_body_kept(
    server: Server, integrator: Integrator, offer: tuple[str, ...], split: str
) -> None:
    head = put_merchant(integrator, *offer)
    if split == "chunked":
        pieces = [head + CHUNKED + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)]
    else:
        pieces = [head + length(len(BODY)), BODY]
    with server.connect() as client:
        if split == "a moment later":
            client.send(*pieces, pause=0.05)
        else:
            client.send(b"".join(pieces))
        answer = client.answer()
        assert (answer.status, answer.json()["merchantId"]) == (200, "gym-a")
        client.send(NEXT)
        assert client.answer().json() == {"status": "ok"}


async def test_a_body_behind_an_offer_is_no_second_request(
    server: Server, integrator: Integrator
) -> None:
    hidden = b"DELETE /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    head = put_merchant(integrator, "Connection: Upgrade", "Upgrade: h2c") + length(len(hidden))
    with server.connect() as client:
        client.send(head, hidden, NEXT, pause=0.05)
        assert client.answer().problem == (400, "MALFORMED_JSON")
        assert client.answer().json() == {"status": "ok"}


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: 3, 4\r\n",
        b"Content-Length: 3\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nA: b\r\ncontent-length:3\r\n",
        b"Content-Length: 3, 3\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: 0x3\r\n",
        b"Content-Length: 3 3\r\n",
        b"Content-Length: 1_0\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: " + b"9" * 30 + b"\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chun\x0bked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
    ],
)
def test_a_body_whose_end_is_doubtful_is_400(server: Server, framing: bytes) -> None:
    with server.connect() as client:
        client.send(REPORT + framing + b"\r\n3\r\nabc\r\n0\r\n\r\n" + NEXT)
        answer = client.answer()
        assert answer.problem == INVALID
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


def test_chunks_are_not_for_http_1_0(server: Server) -> None:
    old = REPORT.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + b"\r\n0\r\n\r\n"
    assert server.ask(old).problem == INVALID


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"3 3\r\nabc\r\n0\r\n\r\n",
        b"\r\n3\r\nabc\r\n0\r\n\r\n",
        b"f" * 21 + b"\r\nabc\r\n",
        b"3\r\nabc\r\n0\r\nA : b\r\n\r\n",
        b"1\r\na\r\n" * (100 * KIB),
    ],
)
def test_broken_chunks_are_400(server: Server, body: bytes) -> None:
    with server.connect() as client:
        client.send(REPORT + CHUNKED + b"\r\n" + body)
        answer = client.answer()
        assert answer.problem == INVALID
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


@pytest.mark.parametrize(
    "body",
    [
        b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        b"0\r\nA: " + b"a" * (9 * KIB) + b"\r\n\r\n",
        b"0\r\n" + (b"A: " + b"a" * 900 + b"\r\n") * 10 + b"\r\n",
        b"0\r\n" + b"A: b\r\n" * (3 * 1024 * KIB),
        b"3;" + b"a" * (64 * KIB) + b"\r\nabc\r\n0\r\n\r\n",
        b"3" + b";a=b" * (1024 * KIB),
    ],
    ids=["101", "long", "several", "20 MB", "extension", "endless extension"],
)
def test_large_trailers_and_extensions_are_431(server: Server, body: bytes) -> None:
    with server.connect() as client:
        client.send(REPORT + CHUNKED + b"\r\n" + body)
        answer = client.answer()
        assert answer.problem == TOO_LARGE
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


def test_extensions_cannot_outweigh_the_body(server: Server) -> None:
    chunk = b"1;" + b"a" * 7000 + b"\r\na\r\n"
    assert server.ask(REPORT + CHUNKED + b"\r\n" + chunk * 100).problem == INVALID


@pytest.mark.parametrize(
    "chunks",
    [
        b"3\r\n%s\r\n0\r\n\r\n",
        b"3;a=b;c=\"d\"\r\n%s\r\n0\r\nTrailer: x\r\n\r\n",
        b"003 \r\n%s\r\n000\r\n\r\n",
        b"1\r\n[\r\n1\r\n1\r\n1\r\n]\r\n0\r\n\r\n",
    ],
)  # fmt: skip
async def test_lawful_chunks_are_put_together(
    server: Server, integrator: Integrator, chunks: bytes
) -> None:
    body = chunks.replace(b"%s", b"[1]")
    with server.connect() as client:
        for piece in ([body], [bytes([byte]) for byte in body]):
            client.send(put_merchant(integrator) + CHUNKED + b"\r\n", *piece, pause=0.001)
            assert client.answer().problem == (400, "VALIDATION_FAILED")  # it is a list
        client.send(NEXT)
        assert client.answer().status == 200


async def test_a_body_may_arrive_byte_by_byte(server: Server, integrator: Integrator) -> None:
    pieces = [bytes([byte]) for byte in BODY]
    head = put_merchant(integrator) + length(len(BODY))
    assert server.ask(head, *pieces, pause=0.001).status == 200


async def test_requests_may_follow_each_other_without_waiting(
    server: Server, integrator: Integrator
) -> None:
    put = put_merchant(integrator) + length(len(BODY)) + BODY
    with server.connect() as client:
        client.send((put + NEXT) * 50)
        answers = [client.answer() for _ in range(100)]
    assert [answer.status for answer in answers] == [200] * 100
    assert [answer.json() for answer in answers[1::2]] == [{"status": "ok"}] * 50


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_data_after_the_last_request_of_a_connection_is_not_read(
    server: Server, version: bytes
) -> None:
    last = b"GET /healthz HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n" % version
    for pieces in ([last + NEXT], [last, b"\x00garbage"], [last + b"GET"]):
        with server.connect() as client:
            client.send(*pieces)
            answer = client.answer()
            assert answer.json() == {"status": "ok"}
            assert answer.headers["connection"] == "close"
            assert client.is_closed()


def is_unauthorized(answer: Answer) -> bool:
    return answer.problem == (401, "INVALID_CREDENTIALS")


def test_a_body_that_is_not_wanted_is_dropped_and_the_connection_kept(server: Server) -> None:
    post = b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\n"
    with server.connect() as client:
        for size in (5, 60 * KIB):
            client.send(post + length(size), b" " * size, NEXT)
            assert is_unauthorized(client.answer())
            assert client.answer().status == 200
        client.send(post + CHUNKED + b"\r\n" + b"5\r\nabcde\r\n" * 1000 + b"0\r\n\r\n" + NEXT)
        assert is_unauthorized(client.answer())
        assert client.answer().status == 200


def test_a_body_without_end_is_not_dropped_for_ever(server: Server) -> None:
    with server.connect() as client:
        client.send(b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\n" + CHUNKED + b"\r\n")
        assert is_unauthorized(client.answer())
        client.send(*[b"%x\r\n%s\r\n" % (1024 * KIB, b" " * 1024 * KIB)] * 30)
        assert client.is_closed()


async def test_expect_100_continue_is_answered(server: Server, integrator: Integrator) -> None:
    with server.connect() as client:
        head = put_merchant(integrator, "Expect: 100-continue")
        client.send(head + length(len(BODY)))
        assert client.answer(head=True).status == 100
        client.send(BODY)
        assert client.answer().status == 200


def test_a_refused_request_cannot_smuggle_another(server: Server) -> None:
    head = b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    with server.connect() as client:
        client.send(head + length(len(NEXT)))
        answer = client.answer()
        assert is_unauthorized(answer)
        assert answer.headers["connection"] == "close"
        client.send(NEXT)
        assert client.is_closed()


@pytest.mark.parametrize("asked", [b"", b"Connection: close\r\n"])
def test_that_the_connection_closes_is_said_once(server: Server, asked: bytes) -> None:
    head = b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" + asked
    with server.connect() as client:
        client.send(head + length(5))
        assert client.rest().lower().count(b"\r\nconnection: close\r\n") == 1
