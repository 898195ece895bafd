"""One request and its answer, as uvicorn carries them, with what a broken request needs."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from api.http.problems import render
from api.http.request_log import RequestLog
from models.errors import HexavoxError

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


class Cycle(RequestResponseCycle):
    """A request whose body may fail half-way.

    The failure is raised where the body is read, so that it is answered, logged and counted like
    every other error.
    """

    failure: HexavoxError | None = None

    def fail(self, error: HexavoxError) -> None:
        """Let the body end with an error; the connection closes after the answer."""
        self.failure = error
        self.keep_alive = False
        self.message_event.set()

    async def receive(self) -> "ASGIReceiveEvent":
        """Return the next part of the body, or raise what is wrong with it."""
        if self.failure is None:
            message = await super().receive()
        if self.failure is None:
            return message
        if not self.response_started and not self.disconnected:
            raise self.failure
        if not self.response_complete:  # too late to say so: half an answer must not look whole
            self.disconnected = True
            self.transport.close()
        return {"type": "http.disconnect"}

    async def send(self, message: "ASGISendEvent") -> None:
        """Pass a part of the answer on; say that the connection closes where it must.

        A client that waits for `100 Continue` and is answered at once may send its body or not:
        nobody could tell its first bytes from the next request.
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
    """Return an application that answers whatever it is asked with one error."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        response = render(Request(scope), error)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)

    return RequestLog(refuse)
