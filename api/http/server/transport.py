"""A transport and its flow control, as a request in progress sees them."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl


class LingeringTransport:
    """A transport whose `close` lets the protocol decide how to close."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class BufferedFlowControl(FlowControl):
    """Flow control that, asked to go on reading, first has what is already here parsed."""

    def __init__(self, transport: asyncio.Transport, go_on: Callable[[], None]) -> None:
        super().__init__(transport)
        self._go_on = go_on

    def resume_reading(self) -> None:
        """Go on with what was received and not parsed."""
        if self.read_paused:
            self._go_on()

    def open(self) -> None:
        """Read from the socket again."""
        super().resume_reading()
