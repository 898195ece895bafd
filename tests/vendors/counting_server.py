"""An HTTP server of bare sockets that counts requests and answers as it is told, or not at all.

For any adapter that speaks HTTP: point it at `url` and choose `behaviour`. With a vendor (a double
or the simulator) behind it, it passes requests on and can lose the answer before, during or after
the write.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum, auto

import httpx

_NO_LINGER = struct.pack("ii", 1, 0)
_DROPPED = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection"})


class Behaviour(Enum):
    """What the server does with a request."""

    PASS = auto()
    """Passes it on to the vendor, and its answer back; without a vendor it answers 404."""
    ERROR = auto()
    """Answers 500."""
    UNAVAILABLE = auto()
    """Answers 503."""
    REDIRECT = auto()
    """Answers 307 to itself."""
    HANG = auto()
    """Reads it and never answers."""
    DRIP = auto()
    """Answers one byte at a time, without end."""
    RESET_WRITE = auto()
    """Resets the connection after the first bytes of the request."""
    RESET = auto()
    """Reads it and resets the connection."""
    CLOSE = auto()
    """Reads it and closes the connection."""
    HALF = auto()
    """Closes half-way through the answer."""
    GARBAGE = auto()
    """Answers something that is not HTTP."""
    LOST = auto()
    """Passes it on and resets the connection instead of answering."""
    UNREADABLE = auto()
    """Passes it on and answers with a page of HTML, with the vendor's status."""


BROKEN = [behaviour for behaviour in Behaviour if behaviour is not Behaviour.PASS]
"""All behaviours after which nobody knows whether the vendor has done what was asked."""


@dataclass(frozen=True)
class Request:
    """One complete request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class CountingServer:
    """Counts what arrives on its port. Use `counting_server` to start one."""

    def __init__(self, vendor: str | None = None) -> None:
        self.behaviour = Behaviour.PASS
        self.begun = 0
        """Requests of which at least one byte arrived."""
        self.requests: list[Request] = []
        """Requests that arrived whole."""
        self.taken = 0
        """Requests other than GET that the vendor answered with success."""
        self.url = ""
        self._vendor = vendor
        self._client = httpx.AsyncClient(trust_env=False, timeout=10)
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Refuse further connections, and drop those that are open."""
        assert self._server is not None
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def aclose(self) -> None:
        """End for good."""
        await self.close()
        await self._client.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            # It is cancelled only when the server is closed.
            ended = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
            with contextlib.suppress(*ended):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Handle one request; return whether the connection stays open."""
        first = await reader.readexactly(1)
        self.begun += 1
        if self.behaviour is Behaviour.RESET_WRITE:
            _reset(writer)
            return False
        request = await _read(first, reader)
        self.requests.append(request)
        return await self._behave(self.behaviour, request, writer)

    async def _behave(
        self, behaviour: Behaviour, request: Request, writer: asyncio.StreamWriter
    ) -> bool:
        match behaviour:
            case Behaviour.PASS:
                answer = await self._pass_on(request)
                _answer(writer, answer.status_code, answer.content, answer.headers)
                await writer.drain()
                return True
            case Behaviour.ERROR | Behaviour.UNAVAILABLE:
                _answer(writer, 500 if behaviour is Behaviour.ERROR else 503, b"{}")
                await writer.drain()
                return True
            case Behaviour.REDIRECT:
                _answer(writer, 307, b"", httpx.Headers({"Location": self.url + request.target}))
                await writer.drain()
                return True
            case Behaviour.UNREADABLE:
                answer = await self._pass_on(request)
                _answer(writer, answer.status_code, b"<html>")
                await writer.drain()
                return True
            case Behaviour.LOST:
                await self._pass_on(request)
                _reset(writer)
            case Behaviour.RESET:
                _reset(writer)
            case _:
                await _spoil(behaviour, writer)
        return False

    async def _pass_on(self, request: Request) -> httpx.Response:
        if self._vendor is None:
            return httpx.Response(404, json={})
        answer = await self._client.request(
            request.method,
            self._vendor + request.target,
            content=request.body,
            headers={n: v for n, v in request.headers.items() if n not in _DROPPED},
        )
        self.taken += answer.is_success and request.method != "GET"
        return answer


async def _spoil(behaviour: Behaviour, writer: asyncio.StreamWriter) -> None:
    match behaviour:
        case Behaviour.HANG:
            await asyncio.sleep(3600)  # until the server is closed
        case Behaviour.DRIP:
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        case Behaviour.HALF:
            writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"sid": "SM')
            await writer.drain()
        case Behaviour.GARBAGE:
            writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
            await writer.drain()


async def _read(first: bytes, reader: asyncio.StreamReader) -> Request:
    head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    method, target, _ = line.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


def _answer(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: httpx.Headers | None = None
) -> None:
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
    lines += [f"{n}: {v}" for n, v in (headers or {}).items() if n.lower() not in _DROPPED]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()


@contextlib.asynccontextmanager
async def counting_server(vendor: str | None = None) -> AsyncIterator[CountingServer]:
    """Start a server, before a vendor at an address if one is given."""
    server = CountingServer(vendor)
    await server.open()
    try:
        yield server
    finally:
        await server.aclose()
