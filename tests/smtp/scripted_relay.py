"""An SMTP server that fails at one chosen step, and counts the mails that it took."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self


class Step(StrEnum):
    """Where the server fails; each names what the client has just written."""

    CONNECT = "CONNECT"
    """Nothing: the greeting is missing."""
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    NOOP = "NOOP"
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "CONTENT"
    """The content has begun: 354 was answered, and one line was read."""
    DOT = "DOT"
    """The whole content, with its final dot."""


class Fault(StrEnum):
    """What happens there, besides a reply of the server's own."""

    HANG = "HANG"
    DROP = "DROP"


REPLIES = {
    Step.CONNECT: "220 relay.test ESMTP",
    Step.STARTTLS: "220 ready",
    Step.AUTH: "235 2.7.0 welcome",
    Step.NOOP: "250 2.0.0 ok",
    Step.RSET: "250 2.0.0 ok",
    Step.MAIL: "250 2.1.0 ok",
    Step.RCPT: "250 2.1.5 ok",
    Step.DATA: "354 go ahead",
    Step.DOT: "250 2.0.0 queued as 4ABC",
}


@dataclass
class ScriptedRelay:
    """The server. `script` holds a reply or a fault by step; what is missing succeeds."""

    tls: ssl.SSLContext | None = None
    script: dict[Step, str | Fault] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("SIZE 1000000", "8BITMIME")
    delays: dict[Step, float] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    """Recipients that are refused with 550 5.1.1."""
    mails_per_session: int = 1000
    """After so many the connection is dropped, as by a restart."""
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    """Contents that were read to the final dot, whatever was replied."""
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**22)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.drop_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def verbs(self) -> list[str]:
        """Return the commands without their words."""
        return [command.partition(" ")[0] for command in self.commands]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds after a command or a content."""
        async with asyncio.timeout(10):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def drop_all(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer(writer, Step.CONNECT)
        mails = 0
        while line := await reader.readline():
            command = line.decode().rstrip("\r\n")
            self.commands.append(command)
            self._changed.set()
            verb = command.partition(" ")[0]
            if verb == "QUIT":
                return
            if verb == "DATA":
                if await self._answer(writer, Step.DATA):
                    await self._content(reader, writer)
                    mails += 1
                    if mails >= self.mails_per_session:
                        return
            elif verb == "RCPT" and command.partition("<")[2].partition(">")[0] in self.refused:
                writer.write(b"550 5.1.1 <a@example.com>: no such user\r\n")
            elif await self._answer(writer, Step(verb)) and verb == "STARTTLS":
                assert self.tls is not None
                await writer.start_tls(self.tls)

    async def _content(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if Step.CONTENT in self.script:
            await reader.readline()
            await self._answer(writer, Step.CONTENT)
            await reader.read()  # a reset would overtake the reply
            raise EOFError
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise EOFError
            lines.append(line)
        self.taken.append(b"".join(lines))
        self._changed.set()
        await self._answer(writer, Step.DOT)

    async def _answer(self, writer: asyncio.StreamWriter, step: Step) -> bool:
        """Reply to a step; False if it was refused."""
        await asyncio.sleep(self.delays.get(step, 0))
        reply = self.script.get(step)
        if reply is Fault.HANG:
            await asyncio.Event().wait()
        if reply is Fault.DROP:
            raise EOFError
        if reply is None and step is Step.EHLO:
            reply = self._greeting(writer)
        reply = reply or REPLIES[step]
        writer.write(f"{reply}\r\n".encode())
        await writer.drain()
        return reply[0] in "23"

    def _greeting(self, writer: asyncio.StreamWriter) -> str:
        encrypted = writer.get_extra_info("ssl_object") is not None
        offered = [*self.extensions, "AUTH PLAIN LOGIN"]
        if self.tls is not None and not encrypted:
            offered = [*self.extensions, "STARTTLS"]
        lines = ["relay.test", *offered]
        return "\r\n".join(
            f"250{' ' if number == len(lines) else '-'}{line}"
            for number, line in enumerate(lines, start=1)
        )
