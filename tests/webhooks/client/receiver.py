"""An integrator's HTTPS server that does what a test tells it, and the wires that lead to it."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpcore
import trustme

from providers.webhooks.client import WebhookClient
from providers.webhooks.resolver import HostNotFound

PUBLIC = "93.184.216.34"
"""Address that stands for a receiver on the internet; `Wires` lead it to one on this machine."""
HOST = "hooks.example.com"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Act = Callable[["Talk"], Awaitable[None]]


@dataclass
class Talk:
    """One connection, after its request was read."""

    head: str
    body: bytes
    writer: asyncio.StreamWriter
    gone: asyncio.Event
    """Set when the test is over."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names in lower case, and values."""
        lines = self.head.split("\r\n")[1:]
        pairs = (line.split(": ", 1) for line in lines if line)
        return [(name.lower(), value) for name, value in pairs]

    async def send(self, *parts: bytes) -> None:
        """Write each part by itself."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def hang(self) -> None:
        """Neither write nor close until the test is over."""
        await self.gone.wait()


def answer(*parts: bytes) -> Act:
    """Return an act that writes these bytes and closes."""

    async def act(talk: Talk) -> None:
        await talk.send(*parts)

    return act


@dataclass
class Receiver:
    """A server on 127.0.0.1 that records its requests."""

    act: Act
    talks: list[Talk] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until_heard(self, requests: int) -> None:
        """Wait until so many requests were read."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.talks) >= requests)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = next(
                int(line.split(":")[1])
                for line in head.lower().split("\r\n")
                if line.startswith("content-length:")
            )
            talk = Talk(head, await reader.readexactly(size), writer, self._gone)
            async with self._news:
                self.talks.append(talk)
                self._news.notify_all()
            await self.act(talk)
        writer.transport.abort() if self._gone.is_set() else writer.close()

    def note_name(self, _socket: Any, name: str | None, _context: Any) -> None:
        """Record the server name of a TLS handshake."""
        self.server_names.append(name)


@asynccontextmanager
async def receiving(act: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Serve until the block ends."""
    receiver = Receiver(act)
    if tls is not None:
        tls.sni_callback = receiver.note_name
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver._gone.set()
        server.close()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def raw(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve connections as they come, before any request is read; yields the port."""

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Wires(httpcore.AsyncNetworkBackend):
    """Leads public addresses to local ports, and records which ones were connected to."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        self.asked: list[tuple[str, int]] = []
        self._real = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append((host, port))
        if host not in self.ports:
            raise httpcore.ConnectError("unreachable")
        return await self._real.connect_tcp("127.0.0.1", self.ports[host], timeout)


class Names:
    """A resolver with a script: each look-up of a name gets its next answer, the last for ever."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = answers
        self.asked: Counter[str] = Counter()

    @classmethod
    def always(cls, *addresses: str) -> "Names":
        """Return a resolver that gives every name these addresses."""
        names = cls()
        names._any = addresses
        return names

    _any: Sequence[str] | None = None

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked[host] += 1
        if self._any is not None:
            return self._any
        answers = self._answers.get(host.replace(".", "_"))
        if answers is None:
            raise HostNotFound
        return answers[min(self.asked[host], len(answers)) - 1]


@dataclass
class Authority:
    """A certificate authority that the client trusts."""

    ca: trustme.CA = field(default_factory=trustme.CA)

    def server(self, *names: str) -> ssl.SSLContext:
        """Return the context of a server with a certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context

    @cached_property
    def client(self) -> ssl.SSLContext:
        """A client's context that trusts this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca.configure_trust(context)
        return context


def client_of(authority: Authority, wires: Wires, **given: Any) -> WebhookClient:
    """Return a client of these wires; every name has the address PUBLIC unless given."""
    return WebhookClient(
        **{
            "local": False,
            "resolve": Names.always(PUBLIC),
            "ssl_context": authority.client,
            "backend": wires,
            **given,
        }
    )
