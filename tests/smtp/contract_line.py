"""An SMTP server for the contract suite of all adapters: what becomes of the reply to a content."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.vendors.counting_server import Behaviour

USER, PASSWORD = "us", "onlyForTests9876"
_RIGHT = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()

_REPLIES = {
    Behaviour.PASS: b"250 2.0.0 queued\r\n",
    # A refusal is a clear answer in SMTP, so these two answer out of turn instead.
    Behaviour.ERROR: b"354 go ahead\r\n",
    Behaviour.REDIRECT: b"334 \r\n",
    Behaviour.UNAVAILABLE: b"421 4.3.2 shutting down\r\n",
    Behaviour.UNREADABLE: b"<html>\r\n",
    Behaviour.GARBAGE: b"HTTP/1.1 200 OK\r\n\r\n",
    Behaviour.HALF: b"250-2.0.0 que",
}
_ENDS = {Behaviour.HALF, Behaviour.CLOSE, Behaviour.RESET, Behaviour.LOST}
_TAKES = {Behaviour.PASS, Behaviour.LOST, Behaviour.UNREADABLE}


class SmtpLine:
    """The server. `begun` counts contents of which a line arrived."""

    def __init__(self) -> None:
        self.behaviour = Behaviour.PASS
        self.begun = 0
        self.taken = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse further connections, and drop those that are open."""
        assert self._server is not None
        self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        try:
            with suppress(OSError, EOFError):
                await self._talk(reader, writer)
        finally:
            self._sessions.discard(task)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay.test\r\n")
        while line := (await reader.readline()).decode():
            match line.split():
                case ["EHLO", *_]:
                    reply = "250-relay.test\r\n250 AUTH PLAIN"
                case ["AUTH", "PLAIN", given]:
                    reply = "235 2.7.0 welcome" if given == _RIGHT else "535 5.7.8 wrong"
                case ["DATA"]:
                    writer.write(b"354 go ahead\r\n")
                    await self._content(reader, writer)
                    continue
                case _:
                    reply = "250 2.0.0 ok"
            writer.write(f"{reply}\r\n".encode())

    async def _content(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readline()
        self.begun += bool(first)
        if self.behaviour is Behaviour.RESET_WRITE or not first:
            raise EOFError
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise EOFError
        self.taken += self.behaviour in _TAKES
        if self.behaviour is Behaviour.HANG:
            await asyncio.Event().wait()
        while self.behaviour is Behaviour.DRIP:
            writer.write(b"2")
            await asyncio.sleep(0.01)
        writer.write(_REPLIES.get(self.behaviour, b""))
        await writer.drain()
        if self.behaviour is Behaviour.CLOSE:
            writer.close()
            await writer.wait_closed()
        if self.behaviour in _ENDS:
            raise EOFError


@asynccontextmanager
async def smtp_line() -> AsyncIterator[SmtpLine]:
    """Start a server."""
    line = SmtpLine()
    await line.open()
    try:
        yield line
    finally:
        await line.close()
