"""Classification of failed calls."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.http import deliver, new_client, retry_after
from providers.ports.messages import Ambiguous, NotProcessed

SECOND = timedelta(seconds=1)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def every(error: type[BaseException]) -> Iterator[type[BaseException]]:
    yield error
    for child in error.__subclasses__():
        yield from every(child)


def made(error: type[BaseException]) -> BaseException:
    """Construct an exception, whatever arguments its constructor needs."""
    request = httpx.Request("POST", "http://vendor/")
    if issubclass(error, httpx.HTTPStatusError):
        return error("text", request=request, response=httpx.Response(500, request=request))
    try:
        return error("text")
    except TypeError:
        return error()


FAILURES = sorted({*every(httpx.HTTPError), *every(httpx.StreamError)}, key=lambda e: e.__name__)


class Failing(httpx.AsyncBaseTransport):
    """Raises, before or after it has begun to write."""

    def __init__(self, error: BaseException, *, wrote: str | None) -> None:
        self._error = error
        self._wrote = wrote

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._wrote:
            await request.extensions["trace"](self._wrote, {})
        raise self._error


async def call(
    error: BaseException, *, wrote: str | None = None, not_after: timedelta = SECOND
) -> httpx.Response | NotProcessed | Ambiguous:
    async with httpx.AsyncClient(transport=Failing(error, wrote=wrote)) as client:
        return await deliver(
            client,
            client.build_request("POST", "http://vendor/"),
            not_after=datetime.now(UTC) + not_after,
            timeout=SECOND,
        )


def test_the_walk_below_meets_the_failures_there_are() -> None:
    known = {httpx.ConnectError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError}
    assert known < set(FAILURES)
    assert len(FAILURES) > 20


@pytest.mark.parametrize("error", FAILURES)
async def test_a_failure_before_the_write_is_not_processed(error: type[BaseException]) -> None:
    assert await call(made(error)) == NotProcessed(reason=error.__name__)


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("protocol", ["http11", "http2"])
async def test_a_failure_after_the_write_began_is_ambiguous(
    error: type[BaseException], protocol: str
) -> None:
    answer = await call(made(error), wrote=f"{protocol}.send_request_headers.started")
    assert answer == Ambiguous(reason=error.__name__)


async def test_a_cancelled_call_stays_cancelled() -> None:
    with pytest.raises(asyncio.CancelledError):
        await call(asyncio.CancelledError(), wrote="http11.send_request_headers.started")


async def test_a_fence_that_has_fallen_stops_the_write() -> None:
    answer = await call(
        httpx.ReadError("unreached"),
        wrote="http11.send_request_headers.started",
        not_after=timedelta(0),
    )
    assert answer == NotProcessed(reason="DeadlinePassed")


class Vendor:
    """A server on the loopback interface that counts its requests."""

    def __init__(self, behave: Handler) -> None:
        self.received = b""
        self.connections = 0
        self._behave = behave
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while chunk := await reader.read(65536):
                self.received += chunk
                if b"\r\n\r\n" in self.received:
                    await self._behave(reader, writer)
        finally:
            writer.close()


@asynccontextmanager
async def vendor(behave: Handler) -> AsyncIterator[Vendor]:
    serving = Vendor(behave)
    server = await asyncio.start_server(serving.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    serving.url = f"http://127.0.0.1:{port}/messages"
    async with server:
        yield serving


async def post(
    url: str, *, not_after: timedelta = SECOND, timeout: timedelta = SECOND
) -> httpx.Response | NotProcessed | Ambiguous:
    async with new_client(timeout) as client:
        request = client.build_request("POST", url, json={"body": "Hello"})
        deadline = datetime.now(UTC) + not_after
        return await deliver(client, request, not_after=deadline, timeout=timeout)


async def answer_ok(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")
    await writer.drain()


async def answer_never(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0)


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send bytes often enough to avoid the read timeout, and never finish."""
    writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100000\r\n\r\n")
    for _turn in range(100):
        writer.write(b" ")
        await asyncio.sleep(0.02)


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection: Any = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_an_answer_in_time_is_an_answer() -> None:
    async with vendor(answer_ok) as them:
        answer = await post(them.url)
        assert isinstance(answer, httpx.Response)
        assert answer.status_code == 202
        assert them.received.endswith(b'{"body":"Hello"}')


async def test_after_the_deadline_not_one_byte_is_written() -> None:
    async with vendor(answer_ok) as them:
        answer = await post(them.url, not_after=timedelta(milliseconds=-1))
        await asyncio.sleep(0.05)
        assert answer == NotProcessed(reason="DeadlinePassed")
        assert (them.connections, them.received) == (1, b"")


async def test_after_the_deadline_a_kept_connection_writes_nothing_either() -> None:
    async with vendor(answer_ok) as them, new_client(SECOND) as client:
        in_time, late = (datetime.now(UTC) + gap for gap in (SECOND, -SECOND))
        for deadline in (in_time, late):
            request = client.build_request("POST", them.url, json={"at": deadline.isoformat()})
            answer = await deliver(client, request, not_after=deadline, timeout=SECOND)
        await asyncio.sleep(0.05)
        assert answer == NotProcessed(reason="DeadlinePassed")
        assert in_time.isoformat().encode() in them.received
        assert late.isoformat().encode() not in them.received


@pytest.mark.parametrize("behave", [answer_never, drip])
async def test_a_slow_answer_is_ambiguous(behave: Handler) -> None:
    async with vendor(behave) as them:
        answer = await post(them.url, timeout=timedelta(milliseconds=150))
        assert isinstance(answer, Ambiguous)
        assert answer.reason in {"TimeoutError", "ReadTimeout"}


async def test_a_dripping_answer_is_cut_by_the_budget_of_the_whole_call() -> None:
    async with vendor(drip) as them:
        began = asyncio.get_running_loop().time()
        answer = await post(them.url, timeout=timedelta(milliseconds=150))
        assert answer == Ambiguous(reason="TimeoutError")
        assert asyncio.get_running_loop().time() - began < 1


async def test_a_call_may_take_longer_than_the_clients_own_budget() -> None:
    """An account of the providers file may have a longer timeout than HTTP in general."""

    async def answer_late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")

    async with vendor(answer_late) as them, new_client(timedelta(milliseconds=100)) as client:
        request = client.build_request("POST", them.url, json={"body": "Hello"})
        deadline = datetime.now(UTC) + SECOND
        answer = await deliver(client, request, not_after=deadline, timeout=SECOND)
        assert isinstance(answer, httpx.Response)


async def test_a_refused_connection_was_not_processed() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = await post(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert answer == NotProcessed(reason="ConnectError")


@pytest.mark.parametrize(
    ("behave", "code"), [(reset, "ReadError"), (hang_up, "RemoteProtocolError")]
)
async def test_a_connection_lost_after_the_write_is_ambiguous(behave: Handler, code: str) -> None:
    async with vendor(behave) as them:
        answer = await post(them.url)
        assert answer == Ambiguous(reason=code)
        assert b"Hello" in them.received


async def test_a_redirect_is_not_followed() -> None:
    async def redirect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    async with vendor(redirect) as them:
        answer = await post(them.url)
        assert isinstance(answer, httpx.Response)
        assert (answer.status_code, them.received.count(b"POST")) == (307, 1)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", timedelta(0)),
        ("7", timedelta(seconds=7)),
        ("0000000007", timedelta(seconds=7)),
        ("3601", timedelta(hours=1)),
        ("9" * 5000, timedelta(hours=1)),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_a_wait_is_read_in_seconds_and_at_most_an_hour(value: str, wait: timedelta | None) -> None:
    assert retry_after(httpx.Response(429, headers={"Retry-After": value})) == wait


def test_without_a_valid_retry_after_there_is_none() -> None:
    assert retry_after(httpx.Response(429)) is None


@given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=20))
@example("²")
def test_no_header_breaks_the_reading(value: str) -> None:
    headers = [(b"Retry-After", value.encode("latin-1"))]
    wait = retry_after(httpx.Response(429, headers=headers))
    assert wait is None or timedelta(0) <= wait <= timedelta(hours=1)
