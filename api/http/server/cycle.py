"""uvicorn's request and response cycle, extended by errors in the body."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from api.http.problem_response import render
from api.http.request_log import RequestLog
from models.errors import HexavoxError

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


class Cycle(RequestResponseCycle):
    """A request whose body may fail while it is read.

    The error is raised where the body is read, so that it is answered, logged and counted like
    every other error.
    """

    failure: HexavoxError | None = None

    def fail(self, error: HexavoxError) -> None:
        """End the body with an error; the connection closes after the response."""
        self.failure = error
        self.keep_alive = False
        self.message_event.set()

    async def receive(self) -> "ASGIReceiveEvent":
        """Return the next message of the body, or raise the body's error."""
        if self.failure is None:
            message = await super().receive()
        if self.failure is None:
            return message
        if not self.response_started and not self.disconnected:
            raise self.failure
        # the response has begun: closing shows that it is incomplete
        if not self.response_complete:
            self.disconnected = True
            self.transport.close()
        return {"type": "http.disconnect"}

    async def send(self, message: "ASGISendEvent") -> None:
        """Send a part of the response, with `Connection: close` where it is required.

        After an early response a client that waits for `100 Continue` may or may not send its body,
        and the first bytes of the body could not be distinguished from the next request.
        """
        if message["type"] == "http.response.start" and (
            self.failure is not None or (self.waiting_for_100_continue and self.more_body)
        ):
            self.keep_alive = False
            headers = list(message.get("headers", ()))
            if CLOSE_HEADER not in headers:
                headers.append(CLOSE_HEADER)
            await super().send({**message, "headers": headers})
            return
        await super().send(message)


def refusal(error: HexavoxError) -> ASGIApp:
    """Return an ASGI application that answers every request with one error."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        response = render(Request(scope), error)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)

    return RequestLog(refuse)
