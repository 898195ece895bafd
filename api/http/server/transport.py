"""The transport and the flow control that a request in progress uses."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl


class LingeringTransport:
    """A transport whose `close` is delegated to the protocol."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class BufferedFlowControl(FlowControl):
    """Flow control that parses buffered data before it resumes reading."""

    def __init__(self, transport: asyncio.Transport, go_on: Callable[[], None]) -> None:
        super().__init__(transport)
        self._go_on = go_on

    def resume_reading(self) -> None:
        """Parse buffered data."""
        if self.read_paused:
            self._go_on()

    def open(self) -> None:
        """Resume reading from the socket."""
        super().resume_reading()
