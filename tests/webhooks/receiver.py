"""An integrator's server: records what it is sent, and answers as it is told."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

_ENDED = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
"""A request is cancelled only when the receiver is closed."""


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        """Id of the event."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The body."""
        event: dict[str, Any] = json.loads(self.body)
        return event

    def verify(self, secret: str) -> None:
        """Check the signature as an integrator does; raises WebhookVerificationError."""
        Webhook(secret).verify(self.body.decode(), self.headers)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer; `hang` sends none."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    after: float = 0
    hang: bool = False


class Receiver:
    """Answers each request by `reply`. `in_flight` counts open requests by path, `most` their
    maximum.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self.reply: Callable[[Received], Reply] = lambda _: Reply()
        self.requests: list[Received] = []
        self.in_flight: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.url = ""
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self._server = await asyncio.start_server(self._serve, self._host, port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Refuse connections, and drop those that are open."""
        assert self._server is not None
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    @property
    def ids(self) -> list[str]:
        """Ids of the events, in the order of their requests."""
        return [request.webhook_id for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            with contextlib.suppress(*_ENDED):
                await self._exchange(await _read(reader), reader, writer)
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _exchange(
        self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.requests.append(request)
        self.in_flight[request.path] += 1
        self.most[request.path] = max(self.most[request.path], self.in_flight[request.path])
        try:
            reply = self.reply(request)
            if reply.hang:
                await reader.read()  # until the client gives up
                return
            await asyncio.sleep(reply.after)
        finally:
            self.in_flight[request.path] -= 1
        lines = [f"HTTP/1.1 {reply.status} x", f"Content-Length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(path=line.split(" ")[1], headers=headers, body=body)


@contextlib.asynccontextmanager
async def receiving(host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    """Start a receiver."""
    receiver = Receiver(host)
    await receiver.open()
    try:
        yield receiver
    finally:
        await receiver.close()
