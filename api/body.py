"""No body over 1 MiB is kept, and whoever sends one can still read why it was refused."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import render
from models.errors import PayloadTooLarge

LARGEST = 1024 * 1024
READ_AND_DROPPED = 8 * 1024 * 1024
PATIENCE = 10.0
"""Seconds given to a client to get rid of what it has begun to send."""


class _TooLargeError(Exception):
    """More came than was announced or than we take."""


class BodyLimit:
    """Refuses large bodies, announced or not.

    Many clients write their whole body before they read; answered too early they see a reset
    connection instead of the answer. So the rest is read and dropped first, within bounds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > LARGEST:
            await _refuse(scope, receive, send)
            return
        await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0
        answered = False

        async def counting() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST:
                raise _TooLargeError
            return message

        async def noting(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, counting, noting)
        except _TooLargeError:
            if answered:
                raise
            await _refuse(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    everything_read = await _drop(receive)
    response = render(Request(scope), PayloadTooLarge("A body has at most 1 MiB."))
    if not everything_read:
        response.headers["Connection"] = "close"
    await response(scope, receive, send)


async def _drop(receive: Receive) -> bool:
    """Read what is still coming; tell whether that was all."""
    dropped = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while dropped <= READ_AND_DROPPED:
                message = await receive()
                dropped += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return True
    return False
