"""What counts as an answer, how much of it is read, and that nothing is sent twice."""

import asyncio
import gzip
import logging
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta

import pytest

from models.enums import WebhookFailureReason as Reason
from providers.webhooks.client import HEAD_BYTES, WebhookClient
from providers.webhooks.results import WebhookFailure, WebhookResponse
from tests.webhooks.client.receiver import (
    HOST,
    OK,
    PUBLIC,
    Act,
    Authority,
    Talk,
    Wires,
    answer,
    client_of,
    receiving,
)

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For requests to http URLs; the usual one takes a while to make."""
EMPTY = b"Content-Length: 0\r\n\r\n"

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"


async def posted(act: Act) -> WebhookResponse | WebhookFailure:
    """Post once to a local server; assert that it saw one request on one connection."""
    async with receiving(act) as receiver:
        client = WebhookClient(local=True, ssl_context=NO_TLS, clock=lambda: NOW)
        try:
            got: WebhookResponse | WebhookFailure = await client.post(
                f"http://127.0.0.1:{receiver.port}/", {}, b"{}", owner=1
            )
        except WebhookFailure as failure:
            got = failure
    assert (receiver.connections, len(receiver.talks)) == (1, 1)
    return got


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299, 400, 404, 410, 429, 500, 503, 599])
async def test_any_status_but_a_redirect_is_an_answer(status: int) -> None:
    got = await posted(answer(b"HTTP/1.1 %d Any\r\n" % status + EMPTY))
    assert isinstance(got, WebhookResponse)
    assert (got.status_code, got.text, got.succeeded) == (status, "", status < 300)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with receiving(answer(OK)) as aim:
        location = b"Location: http://127.0.0.1:%d/\r\n" % aim.port
        got = await posted(answer(b"HTTP/1.1 %d Any\r\n" % status + location + EMPTY))
    assert isinstance(got, WebhookFailure)
    assert (got.reason, got.status_code, aim.connections) == (Reason.REDIRECT, status, 0)


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
        [b"HTTP/1.1 200 OK\r\n\r\nhello"],
        [b"HTTP/1.0 200 OK\r\n\r\nhello"],
        [b"HTTP/1.1 200\r\n\r\nhello"],
        [CHUNKED, b"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n"],
        [HINTS, b"HTTP/1.1 200 OK\r\n", b"Content-Length: 5\r\n\r\nhello"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more that nobody asked for"],
    ],
)
async def test_a_body_may_be_framed_in_any_way(parts: list[bytes]) -> None:
    got = await posted(answer(*parts))
    assert isinstance(got, WebhookResponse)
    assert (got.status_code, got.text) == (200, "hello")


@pytest.mark.parametrize(
    "sent",
    [
        *(b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_an_answer_that_ends_too_early_is_a_lost_connection(sent: bytes) -> None:
    got = await posted(answer(sent))
    assert isinstance(got, WebhookFailure)
    assert got.reason is Reason.CONNECTION


async def test_a_reset_before_the_answer_is_one_request() -> None:
    async def reset(talk: Talk) -> None:
        taken: socket.socket = talk.writer.get_extra_info("socket")
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talk.writer.transport.abort()

    got = await posted(reset)
    assert isinstance(got, WebhookFailure)
    assert (got.reason, got.status_code) == (Reason.CONNECTION, None)


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n\r\n",
        b"HTTP/1.1 OK 200\r\n\r\n",
        b"HTTP/1.1 99 Any\r\n\r\n",
        b"HTTP/1.1 000 Any\r\n\r\n",
        b"HTTP/1.1 600 Any\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_an_error_of_the_protocol(sent: bytes) -> None:
    got = await posted(answer(sent))
    assert isinstance(got, WebhookFailure)
    assert got.reason is Reason.PROTOCOL


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    ("header", "chunk"),
    [
        (b"Content-Length: 99999999999", b"x" * 65_536),
        (b"Connection: close", b"x" * 65_536),
        (b"Transfer-Encoding: chunked", b"1\r\nx\r\n" * 8_192),
    ],
)
async def test_an_endless_body_counts_by_its_status(
    status: int, header: bytes, chunk: bytes
) -> None:
    sent = 0

    async def flood(talk: Talk) -> None:
        nonlocal sent
        await talk.send(b"HTTP/1.1 %d Any\r\n%b\r\n\r\n" % (status, header))
        while True:
            await talk.send(chunk)
            sent += len(chunk)

    got = await posted(flood)
    assert isinstance(got, WebhookResponse)
    assert (got.status_code, got.text) == (status, "x" * 1024)
    assert got.duration_ms < 10_000
    assert sent < 64 * 1024 * 1024  # what fits into the buffers of both sockets, several times


@pytest.mark.parametrize(
    "part",
    [
        b"a: b\r\n",
        b"x" * 1000,
        b"a: " + b"x" * 1000 + b"\r\n",
        b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_an_endless_head_is_too_large(part: bytes) -> None:
    async def flood(talk: Talk) -> None:
        await talk.send(b"" if part.startswith((b"HTTP", b"\r")) else b"HTTP/1.1 200 OK\r\n")
        while True:
            await talk.send(part * (65_536 // len(part)))

    got = await posted(flood)
    assert isinstance(got, WebhookFailure)
    # h11 takes an empty line, and one that is too long to be a name, for an error at once.
    accepted = {Reason.RESPONSE_TOO_LARGE, *([Reason.PROTOCOL] if part == b"\r\n" else [])}
    assert got.reason in accepted
    assert got.duration_ms < 10_000


@pytest.mark.parametrize(("size", "taken"), [(HEAD_BYTES - 100, True), (HEAD_BYTES + 1, False)])
async def test_a_head_may_have_16_kib(size: int, taken: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + EMPTY[:-2] + b"A: "
    got = await posted(answer(head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"))
    if taken:
        assert isinstance(got, WebhookResponse)
    else:
        assert isinstance(got, WebhookFailure)
        assert got.reason is Reason.RESPONSE_TOO_LARGE


async def test_a_compressed_body_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    got = await posted(answer(head + bomb))
    assert isinstance(got, WebhookResponse)
    assert got.text.startswith("\ufffd\ufffd\ufffd\ufffd")
    assert "\0" not in got.text
    assert len(got.text) <= 1024


async def test_control_characters_are_replaced() -> None:
    got = await posted(answer(b"HTTP/1.1 500 Any\r\nContent-Length: 9\r\n\r\na\0b\x1b[\xff\r\nc"))
    assert isinstance(got, WebhookResponse)
    assert got.text == "a\ufffdb\ufffd[\ufffd\nc"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"Retry-After: 120\r\n", 120),
        (b"retry-after: Mon, 30 Nov 2026 12:01:00 GMT\r\n", 60),
        (b"Retry-After: 999999999999\r\n", 86_400),
        (b"", None),
        (b"Retry-After: soon\r\n", None),
        (b"Retry-After: \xff\r\n", None),
        (b"Retry-After: 1\r\nRetry-After: 2\r\n", None),
    ],
)
@pytest.mark.parametrize("status", [200, 429, 503])
async def test_retry_after_is_reported(header: bytes, seconds: int | None, status: int) -> None:
    got = await posted(answer(b"HTTP/1.1 %d Any\r\n" % status + header + EMPTY))
    assert isinstance(got, WebhookResponse)
    assert got.retry_after == (None if seconds is None else timedelta(seconds=seconds))


async def test_cookies_are_not_kept(authority: Authority) -> None:
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Secure\r\n" + EMPTY
    async with receiving(answer(cookie), authority.server(HOST)) as receiver:
        client = client_of(authority, Wires({PUBLIC: receiver.port}))
        for _ in range(2):
            await client.post(f"https://{HOST}/", {}, b"{}", owner=1)
    assert [dict(talk.headers).get("cookie") for talk in receiver.talks] == [None, None]
    assert receiver.connections == 2


async def test_logs_and_errors_tell_no_secrets(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for act in (answer(OK), answer(b""), answer(b"HTTP/1.1 302 Any\r\n" + EMPTY), answer(b"x\n\n")):
        async with receiving(act, authority.server(HOST)) as receiver:
            client = client_of(authority, Wires({PUBLIC: receiver.port}))
            try:
                got = await client.post(
                    f"https://{HOST}/hidden?hidden", {"x-a": "hidden"}, b"hidden", owner=1
                )
                told.append(repr(got))
            except WebhookFailure as failure:
                told.append(f"{failure!r} {failure} {failure.__context__!r}")
    assert len(told) == 4
    assert "hidden" not in "".join(told) + caplog.text


async def test_two_requests_of_one_client_run_side_by_side(authority: Authority) -> None:
    both = asyncio.Barrier(2)

    async def meet(talk: Talk) -> None:
        await both.wait()
        await talk.send(OK)

    async with receiving(meet, authority.server(HOST)) as receiver:
        client = client_of(authority, Wires({PUBLIC: receiver.port}))
        posts = (client.post(f"https://{HOST}/", {}, b"{}", owner=1) for _ in range(2))
        assert [got.succeeded for got in await asyncio.gather(*posts)] == [True, True]
