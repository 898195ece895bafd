"""Responses of the simulator, including missing ones.

For a route `Silence` and `Reset` are ordinary Starlette responses; they send nothing and hold or
break the connection instead. `server` implements the reset and passes each request a function for
it.
"""

import asyncio
import json
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator.messages.vocabulary import Code

SILENCE_SECONDS = 30.0
RESET_CONNECTION = "reset_connection"
"""Key of that function in the ASGI `state` of a request."""


class Json(Response):
    """A compact JSON response."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content."""
        return json.dumps(content, separators=(",", ":")).encode()


def problem(
    status: int, code: Code, message: str, headers: dict[str, str] | None = None
) -> Response:
    """Return an error response in the vendor's form."""
    return Json({"code": code, "message": message}, status_code=status, headers=headers)


class Reset(Response):
    """Resets the TCP connection instead of responding."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reset, then wait until the server has noticed."""
        _reset(scope)
        await _disconnect(receive)


class Silence(Response):
    """Sends no response until the client disconnects, 30 seconds pass or the server stops."""

    def __init__(self, closing: asyncio.Event) -> None:
        super().__init__()
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the request open."""
        hung_up = asyncio.ensure_future(_disconnect(receive))
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait(
                (hung_up, closing), timeout=SILENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not hung_up.done():
                _reset(scope)
                await hung_up
        finally:
            hung_up.cancel()
            closing.cancel()


def _reset(scope: Scope) -> None:
    reset = scope.get("state", {}).get(RESET_CONNECTION)
    if reset is None:
        raise ConnectionResetError("this server cannot reset connections; see simulator.server")
    reset()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
