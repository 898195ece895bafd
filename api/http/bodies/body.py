"""Limits request bodies by size and coding, and drains them before an early response.

The checks run when the body is first read, which is after authentication.
"""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.bodies.body_size import format_size, largest_body
from models.errors import HexavoxError, PayloadTooLarge, UnsupportedMediaType

READ_AND_DROPPED: Final = 8 * 1024 * 1024
PATIENCE: Final = 10.0
"""Seconds to drain the rest of a body."""

_PLAIN: Final = frozenset({"", "identity"})
"""Content codings that leave the body as it is."""


class BodyLimit:
    """Limits the size of a body, and drains the rest of it before an early response.

    Many clients write their whole body before they read. If the connection closed earlier, they
    would see a reset instead of the response. The amount and the time of draining are bounded.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive)

        async def after_the_body(message: Message) -> None:
            if message["type"] == "http.response.start" and not await body.finish():
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, body.receive, after_the_body)


class _Body:
    """The body of one request."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._headers = Headers(scope=scope)
        self._taken = 0
        self._begun = False
        self._answered = False
        self._whole = not self._is_announced()

    async def receive(self) -> Message:
        """Return the next part; raises UnsupportedMediaType or PayloadTooLarge."""
        if self._answered:
            return await self._receive()
        if not self._begun:
            self._check_announced()
            self._begun = True
        message = await self._next()
        if self._taken > (limit := largest_body(self._scope)):
            raise _too_large(limit)
        return message

    async def finish(self) -> bool:
        """Drain the rest of the body, within bounds, because the response is ready.

        Returns whether the connection can be reused.
        """
        self._answered = True
        if self._whole:
            return True
        if not self._begun and "100-continue" in self._headers.get("expect", "").lower():
            return False  # reading would send 100 Continue and so request the body
        # the response is final; errors of the rest are ignored
        with suppress(TimeoutError, HexavoxError):
            async with asyncio.timeout(PATIENCE):
                most = self._taken + READ_AND_DROPPED
                while self._taken <= most:
                    if _is_last(await self._next()):
                        return True
        return False

    async def _next(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        self._whole = _is_last(message)
        return message

    def _is_announced(self) -> bool:
        length = self._headers.get("content-length", "0")
        return length.strip() != "0" or "transfer-encoding" in self._headers

    def _check_announced(self) -> None:
        """Refuse early what the headers already show to be too large or compressed."""
        if self._scope.get("endpoint") is not None:
            _check_coding(self._headers.getlist("content-encoding"))
        limit = largest_body(self._scope)
        length = self._headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            raise _too_large(limit)


def _is_last(message: Message) -> bool:
    return message["type"] == "http.disconnect" or not message.get("more_body", False)


def _check_coding(given: list[str]) -> None:
    """Raise UnsupportedMediaType for any Content-Encoding other than identity."""
    codings = {coding.strip().lower() for line in given for coding in line.split(",")}
    if not codings <= _PLAIN:
        raise UnsupportedMediaType("Send the body without Content-Encoding.", coding=True)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"A body has at most {format_size(limit)} here.")
