"""A TCP proxy that can stop forwarding: it accepts data and never passes it on."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class Proxy:
    """Listens on a port of its own and forwards to another on this machine.

    Connections that were open while it was muted stay dead for ever, as behind a firewall that has
    dropped their state: no byte, no FIN and no RST arrives any more.
    """

    def __init__(self, port: int, *, listen: int = 0) -> None:
        self._target = port
        self._listen = listen
        self._server: asyncio.Server | None = None
        self._mute = False
        self.asked = 0
        """Number of requests from clients."""
        self.unanswered: bytes | None = None
        """The connection that sends this next gets no response."""
        self._forwarding: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._listen)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.mute()
        for writer in self._writers:
            writer.close()
        assert self._server is not None
        self._server.close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def mute(self) -> None:
        """Stop forwarding on all current and future connections."""
        self._mute = True
        for task in self._forwarding:
            task.cancel()

    def heal(self) -> None:
        """Forward new connections again."""
        self._mute = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self._mute:
            return
        their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers.append(their_writer)
        answers = asyncio.create_task(self._forward(their_reader, writer))
        asks = asyncio.create_task(self._forward(reader, their_writer, answered_by=answers))
        for task in (answers, asks):
            self._forwarding.add(task)
            task.add_done_callback(self._forwarding.discard)

    async def _forward(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        answered_by: asyncio.Task[None] | None = None,
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if answered_by is not None:
                    self.asked += 1
                    if self.unanswered is not None and self.unanswered in data:
                        self.unanswered = None
                        answered_by.cancel()
                sink.write(data)
                await sink.drain()
            sink.close()
