"""A minimal HTTP client for webhooks.

A report is one POST of which only the status matters. A full client would use several times the CPU
of the rest of the simulator, on cores that it shares with the system under test. This one keeps
connections alive and parses only the status line and what it needs to reuse the connection.
"""

import asyncio
import ssl
from collections import defaultdict, deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

ANSWER_SECONDS = 5.0
CONNECTIONS_PER_ORIGIN = 200


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL."""

    host: str
    port: int
    secure: bool
    path: str
    authority: str

    @property
    def origin(self) -> tuple[str, int, bool]:
        """Key by which connections are shared."""
        return self.host, self.port, self.secure


@lru_cache(maxsize=1024)
def target(url: str) -> Target:
    """Parse an absolute http(s) URL."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = parts.netloc.rpartition("@")[2]
    port = parts.port or (443 if secure else 80)
    return Target(parts.hostname or "", port, secure, path, authority)


class WebhookClient:
    """Posts JSON bodies over kept-alive connections, a bounded number per origin."""

    def __init__(self) -> None:
        self._origins: dict[tuple[str, int, bool], _Origin] = defaultdict(_Origin)
        self._tls: ssl.SSLContext | None = None

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Post once and return the status of the response.

        Raises:
            OSError: no connection, or it broke before a response came.
            TimeoutError: no response within five seconds.
        """
        to = target(url)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"POST {to.path} HTTP/1.1\r\nHost: {to.authority}\r\nUser-Agent: simulator\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        )
        request = head.encode("latin-1") + body
        origin = self._origins[to.origin]
        async with origin.slots:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._exchange(to, origin, request)

    def close(self) -> None:
        """Close all idle connections."""
        for origin in self._origins.values():
            for connection in origin.idle:
                connection.close()
        self._origins.clear()

    async def _exchange(self, to: Target, origin: "_Origin", request: bytes) -> int:
        while origin.idle:
            connection = origin.idle.pop()
            if connection.closed:
                continue
            try:
                return await self._ask(connection, origin, request)
            except _Stale:
                # the peer closed the idle connection before it read anything: retry on a new one
                continue
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection, to.host, to.port, ssl=self._context() if to.secure else None
        )
        return await self._ask(connection, origin, request)

    async def _ask(self, connection: "_Connection", origin: "_Origin", request: bytes) -> int:
        try:
            status = await connection.ask(request)
        except BaseException:
            connection.close()
            raise
        if not connection.closed:
            origin.idle.append(connection)
        return status

    def _context(self) -> ssl.SSLContext:
        self._tls = self._tls or ssl.create_default_context()
        return self._tls


class _Stale(ConnectionError):
    """A kept-alive connection was closed before any response."""


@dataclass(slots=True)
class _Origin:
    """Connections to one host and port, and their semaphore."""

    idle: deque["_Connection"] = field(default_factory=deque)
    slots: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(CONNECTIONS_PER_ORIGIN)
    )


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._buffer = b""
        self._used = False

    async def ask(self, request: bytes) -> int:
        """Send one request and await the status of its response."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport. (uvloop's transports are not asyncio's classes, hence the cast.)"""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the pending request; as stale if the connection was reused and nothing arrived."""
        self.closed = True
        if self._answer is not None and not self._answer.done():
            stale = self._used and not self._buffer
            self._answer.set_exception(
                _Stale("closed while idle") if stale else ConnectionError("closed without answer")
            )

    def data_received(self, data: bytes) -> None:
        """Buffer data until the response is complete or cannot be parsed."""
        self._buffer += data
        if self._answer is None or self._answer.done():
            return
        try:
            answer = _read_answer(self._buffer)
        except ValueError:
            self._answer.set_exception(ConnectionError("not an HTTP answer"))
            self.close()
            return
        if answer is None:
            return
        status, reusable = answer
        if not reusable:
            self.close()
        self._buffer, self._used = b"", True
        self._answer.set_result(status)


def _read_answer(received: bytes) -> tuple[int, bool] | None:
    """Parse the status and whether the connection can be reused; None if incomplete."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return None
    status = int(head[9:12])
    if 100 <= status < 200:
        return _read_answer(body)
    length = _content_length(head, status)
    if length is None or len(body) > length:
        return status, False
    if len(body) < length:
        return None
    return status, b"\r\nconnection: close" not in head.lower()


def _content_length(head: bytes, status: int) -> int | None:
    """Return the length of the body, or None if it is ambiguous and the connection must close."""
    if status in (204, 304):
        return 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return None
