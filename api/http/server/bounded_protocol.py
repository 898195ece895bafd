"""Timeouts, the connection limit and closing of connections of the API's HTTP protocol.

`server_protocol.py` decides which part of a request is awaited; this module bounds every wait.
"""

import asyncio
from collections import Counter
from enum import Enum, auto
from typing import Any, ClassVar, Final, cast

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from api.http.limits.address_buckets import client_address
from api.http.server.client_limits import ClientLimits
from api.http.server.connection import BoundedConnection
from api.http.server.cycle import Cycle
from api.http.server.transport import BufferedFlowControl, LingeringTransport

_MOST_LEAVING: Final = 64
"""Connections over the limit that may wait for their client to read the last response."""


class Phase(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    LAST_ANSWER = auto()
    """The last response is being written; further input is dropped."""
    IDLE = auto()
    """The next request on an idle connection."""
    DISCARDING = auto()
    """The end of a body whose request has been answered."""
    CLOSING = auto()
    CLOSED = auto()


NOT_READING: Final = frozenset({Phase.LAST_ANSWER, Phase.CLOSING, Phase.CLOSED})
"""Phases in which input is dropped."""


class BoundedProtocol(H11Protocol):
    """A client connection with a timeout for every wait."""

    limits: ClassVar[ClientLimits] = ClientLimits()
    conn: BoundedConnection
    cycle: Cycle
    flow: BufferedFlowControl

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = BoundedConnection()
        self._phase = Phase.HEAD
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._dropped = 0
        self._begun = 0.0  # time when the headers of the latest request were complete
        self._peer = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout of the first request."""
        super().connection_made(transport)
        self._peer = client_address({"client": self.client})
        self.flow = BufferedFlowControl(transport, self._go_on)
        self._lingering = LingeringTransport(transport, self._hang_up)
        self._enter(Phase.HEAD, self.limits.head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self._enter(Phase.CLOSED)
        if self._stall is not None:
            self._stall.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close after the current response."""
        if self._is_answering():
            self.cycle.keep_alive = False
        else:
            self._close()

    def _go_on(self) -> None:
        """Continue with buffered data that is not parsed yet."""
        raise NotImplementedError

    def _expire(self) -> None:
        """Handle an expired timeout."""
        raise NotImplementedError

    def _evict(self) -> None:
        """Close in favour of a new connection, with a response where one is possible."""
        raise NotImplementedError

    def _has_room(self) -> bool:
        """Return whether this connection may stay, after closing another one if necessary."""
        return len(self.connections) <= self.limits.connections or self._make_room()

    def _is_answering(self) -> bool:
        cycle = cast(Cycle | None, self.cycle)
        return cycle is not None and not cycle.response_complete

    def _enter(self, phase: Phase, seconds: float | None = None) -> None:
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self._expire)

    def _deadline(self) -> float:
        return self._timer.when() if self._timer is not None else float("inf")

    def _make_room(self) -> bool:
        """Close another connection, an idle or a slow one; return whether one was found.

        The connection that is idle longest is closed first. Otherwise it is the oldest slow one at
        the address with the most connections, so that one address cannot lock out the others. All
        clients behind a proxy count as one address.

        The search runs only at the limit, so no ordered index is maintained.
        """
        others = [
            other for other in cast(set[BoundedProtocol], self.connections) if other is not self
        ]
        leaving = [other for other in others if other._phase is Phase.CLOSING]
        if len(leaving) > _MOST_LEAVING:
            _longest(leaving)._cut_off()
        staying = [other for other in others if other._phase not in (Phase.CLOSING, Phase.CLOSED)]
        if len(staying) < self.limits.connections:
            return True
        idle = [other for other in staying if other._phase is Phase.IDLE]
        if idle:
            _longest(idle)._close()
            return True
        until = self.loop.time() - self.limits.patience
        slow = [(since, other) for other in staying if (since := other._slow_since()) < until]
        if not slow:
            return False
        open_at = Counter(other._peer for other in staying)
        most = max(open_at[other._peer] for _, other in slow)
        crowd = [(since, other) for since, other in slow if open_at[other._peer] == most]
        min(crowd, key=lambda one: one[0])[1]._evict()
        return True

    def _slow_since(self) -> float:
        """Return when the wait for the client began; infinity if the client is not awaited."""
        if self._stall is not None:
            return self._stall.when() - self.limits.stalled
        if self._phase is Phase.HEAD:
            return self._deadline() - self.limits.head
        if self._phase is Phase.DISCARDING:
            return float("-inf")  # its response has been sent
        return self._begun if self._phase is Phase.BODY else float("inf")

    def pause_writing(self) -> None:
        """Start the timeout of a client that does not read its response."""
        super().pause_writing()
        self._stall = self.loop.call_later(self.limits.stalled, self._cut_off)

    def resume_writing(self) -> None:
        """Cancel that timeout."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > self.limits.dropped:
            self._cut_off()

    def _hang_up(self) -> None:
        """Close; a client that is still sending may read the response first."""
        if self._phase in (Phase.CLOSING, Phase.CLOSED) or self.transport.is_closing():
            return
        if not self._dropped and self.conn.their_state is not h11.SEND_BODY:
            self._close()
            return
        self._enter(Phase.CLOSING, self.limits.linger)
        self.flow.open()
        self.transport.write_eof()

    def _close(self) -> None:
        """Close once written data is sent, within the linger timeout."""
        self._enter(Phase.CLOSING, self.limits.linger)
        self.transport.close()

    def _cut_off(self) -> None:
        self._enter(Phase.CLOSED)
        if self._is_answering():
            self.cycle.disconnected = True
        self.transport.abort()


def _longest(waiting: list[BoundedProtocol]) -> BoundedProtocol:
    return min(waiting, key=BoundedProtocol._deadline)
