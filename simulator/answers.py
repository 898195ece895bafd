"""What a client hears, including the answers that are none.

`Silence` and `Reset` are ordinary Starlette responses as far as a route is concerned; they send
nothing and hold or break the connection instead. How a connection is broken is the business of
`server`, which hands each request a function for it.
"""

import asyncio
import json
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulator.messages.vocabulary import Code

SILENCE_SECONDS = 30.0
RESET_CONNECTION = "reset_connection"
"""Key in the ASGI `state` of a request under which `server` puts the function."""


class Json(Response):
    """A JSON answer, written compactly by the standard library."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode."""
        return json.dumps(content, separators=(",", ":")).encode()


def problem(
    status: int, code: Code, message: str, headers: dict[str, str] | None = None
) -> Response:
    """Answer with an error in the vendor's form."""
    return Json({"code": code, "message": message}, status_code=status, headers=headers)


class Reset(Response):
    """Break the connection with a TCP reset where an answer was due."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reset, then wait until the server has noticed."""
        _reset(scope)
        await _disconnect(receive)


class Silence(Response):
    """Keep the client waiting until it hangs up, half a minute passes or the server stops."""

    def __init__(self, closing: asyncio.Event) -> None:
        super().__init__()
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the request open without a word."""
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
