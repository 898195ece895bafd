"""The API's HTTP protocol: uvicorn's h11 protocol with limits on what a client may cost.

Every wait has a timeout, every buffer is bounded, and each callback parses one slice: the rest is
parsed after other connections. Input that cannot be parsed is answered with a problem like every
other error. Offers to upgrade the protocol are ignored (RFC 9110, 7.8).
"""

import asyncio
from typing import Any, Final, cast

import h11
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.server import ServerState

from api.http.server.bounded_protocol import NOT_READING, BoundedProtocol, Phase
from api.http.server.client_limits import ClientLimits
from api.http.server.cycle import Cycle, refusal
from api.http.server.scope import connection_scope, scope_of
from models.errors import (
    BadRequest,
    HeadersTooLarge,
    HexavoxError,
    RequestTimedOut,
    TemporarilyUnavailable,
)

_SLICE: Final = 16 * 1024
"""Bytes passed to the parser in one callback."""

_EVENTS_PER_TURN: Final = 64
"""Events, such as chunks of a body, handled in one callback."""

_WORTH_WAKING: Final = 16 * 1024
"""Bytes of a body that are buffered before its reader is woken, unless it is complete."""


class ApiProtocol(BoundedProtocol):
    """A client connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._turn: asyncio.Handle | None = None
        self._unfed = bytearray()
        self._more = False  # events of the last slice are not handled yet
        # parsing is paused until a response is complete or the body buffer is read
        self._held = False
        self._heard = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection if there is room or another one can be closed."""
        super().connection_made(transport)
        if not self._has_room():
            self._refuse(_too_many())

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the scheduled parsing."""
        if self._turn is not None:
            self._turn.cancel()
        super().connection_lost(exc)

    # Reading

    def data_received(self, data: bytes) -> None:
        """Parse received data, one slice at a time."""
        if self._phase in NOT_READING:
            self._drop(len(data))
            return
        self._heard = self.loop.time()
        if self._held or self._turn is not None:
            self._unfed += data  # at most one read: reading is paused
        elif len(data) > _SLICE:
            self._unfed += data
            self._take_turn()
        else:
            self.conn.receive_data(data)
            self.handle_events()

    def _go_on(self) -> None:
        """Schedule the next slice after other callbacks."""
        if self._turn is None and self._phase not in NOT_READING:
            self._turn = self.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._turn = None
        if self._phase in NOT_READING or self.transport.is_closing():
            return
        if self._unfed and not self._more:
            self.conn.receive_data(bytes(self._unfed[:_SLICE]))
            del self._unfed[:_SLICE]
        self.handle_events()

    def handle_events(self) -> None:
        """Handle parsed events, at most `_EVENTS_PER_TURN`."""
        self._held = self._more = False
        try:
            self._act_on_events()
        except HexavoxError as error:
            self._reject(error)
        except h11.RemoteProtocolError as error:
            large = error.error_status_hint == 431
            self._reject(
                HeadersTooLarge() if large else BadRequest("This is not a valid HTTP/1.1 request.")
            )
        if self._phase in NOT_READING:
            self._unfed.clear()
            self.flow.open()
        elif self._held:
            self.flow.pause_reading()
        elif self._more or self._unfed:
            self.flow.pause_reading()
            self._go_on()
        else:
            self.flow.open()

    def _act_on_events(self) -> None:
        for _ in range(_EVENTS_PER_TURN):
            event = self.conn.next_event()
            if event is h11.NEED_DATA:
                self._await_client()
                return
            if event is h11.PAUSED:
                self._held = self.conn.unread > 0
                self._enter(Phase.ANSWER)
                return
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._take_data(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._end()
            if self._held or self._phase in NOT_READING:
                return
        self._more = True

    def _begin(self, event: h11.Request) -> None:
        """Start the application for a request whose headers are complete."""
        self._begun = self._heard
        self._dropped = 0
        self._start(self.app, scope_of(self, event))

    def _take_data(self, data: bytes) -> None:
        if self.conn.our_state is h11.DONE:  # answered before the body was read
            self._drop(len(data))
            return
        cycle = self.cycle
        cycle.body += data
        if len(cycle.body) >= _WORTH_WAKING:
            cycle.message_event.set()
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self._held = True
            self._enter(Phase.ANSWER)

    def _end(self) -> None:
        """Mark the request as complete."""
        if self.conn.our_state is h11.DONE:
            self.conn.start_next_cycle()
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()
        if self.conn.their_state is h11.MUST_CLOSE:
            self._enter(Phase.LAST_ANSWER)

    # Answering

    def _start(self, app: ASGIApp, scope: Any) -> None:
        self.cycle = Cycle(
            scope=scope,
            conn=self.conn,
            transport=cast(asyncio.Transport, self._lingering),
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            on_response=self.on_response_complete,
        )
        task = self.loop.create_task(self.cycle.run_asgi(cast(Any, app)))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _refuse(self, error: HexavoxError) -> None:
        """Answer input that is not a valid request, and close."""
        self._dropped += 1
        self._enter(Phase.LAST_ANSWER)
        self._start(refusal(error), {**connection_scope(self), "method": self.conn.method})

    def _reject(self, error: HexavoxError) -> None:
        """Answer a request whose body is invalid, and close."""
        if self._is_answering():
            self._dropped += 1
            self._enter(Phase.LAST_ANSWER)
            self.cycle.fail(error)
        elif self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(error)
        else:
            self._dropped += 1
            self._hang_up()

    def on_response_complete(self) -> None:
        """Continue with the rest of the body, or with the next request."""
        self.server_state.total_requests += 1
        if self._phase in (Phase.CLOSING, Phase.CLOSED) or self.transport.is_closing():
            return
        if self.conn.our_state is h11.DONE and self.conn.their_state is h11.DONE:
            self.conn.start_next_cycle()
        self.handle_events()

    # Waiting

    def _await_client(self) -> None:
        """Set the timeout for what the client must send next, if anything."""
        state, limits = self.conn.their_state, self.limits
        if state is h11.IDLE:
            if self._phase is Phase.HEAD:
                return
            if self.conn.unread:
                self._enter(Phase.HEAD, limits.head)
            elif self._phase is not Phase.IDLE:
                self._enter(Phase.IDLE, limits.keep_alive)
        elif state is h11.SEND_BODY:
            if self.conn.our_state is h11.DONE:
                if self._phase is not Phase.DISCARDING:
                    self._enter(Phase.DISCARDING, limits.linger)
            elif self._phase is not Phase.BODY:
                self._enter(Phase.BODY, min(limits.body_idle, limits.body))
        elif self._phase is not Phase.LAST_ANSWER:
            self._enter(Phase.ANSWER)

    def _evict(self) -> None:
        if self._stall is not None:
            self._cut_off()
        elif self._phase is Phase.BODY:
            self._reject(_too_many())
        else:
            self._close()

    def _expire(self) -> None:
        self._timer = None
        if self._phase is Phase.BODY:
            until = min(self._heard + self.limits.body_idle, self._begun + self.limits.body)
            if self.loop.time() < until:
                self._timer = self.loop.call_at(until, self._expire)
            else:
                self._reject(RequestTimedOut("The body did not arrive in time."))
        elif self._phase is Phase.HEAD and self.conn.unread:
            self._reject(RequestTimedOut("The headers did not arrive in time."))
        elif self._phase is Phase.CLOSING:
            self._cut_off()
        else:
            self._close()


def _too_many() -> TemporarilyUnavailable:
    return TemporarilyUnavailable("Too many connections are open.", retry_after=1)


def protocol_with(limits: ClientLimits) -> type[ApiProtocol]:
    """Return the protocol class for a server with these limits."""

    class LimitedProtocol(ApiProtocol):
        pass

    LimitedProtocol.limits = limits
    return LimitedProtocol
