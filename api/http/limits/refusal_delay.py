"""Middleware that delays 4xx responses to clients that are refused again and again.

A client that repeats a refused request at once costs capacity, however cheap each refusal is. A
delayed response slows it down. A send that is refused for overload is always delayed: 266 such
refusals a second halved the throughput.

A delayed refusal does not count against the concurrency limits of its key and tenant.
"""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.limits.address_buckets import AddressBuckets, client_address
from api.http.trace import Trace, find_trace
from models.errors import TooManyOpen
from models.rules.tenants.token_bucket import Limit

DELAY: Final = 0.5
"""Seconds of delay: always on overload, otherwise once an address has exceeded its refusal rate."""

MOST_DELAYED: Final = 1000
"""Refusals delayed at the same time in one process; the others are sent at once."""

_REFUSED: Final = range(400, 500)
"""5xx responses are not the client's fault and are not delayed."""


class RefusalDelay:
    """Delays 4xx responses to addresses that exceed their refusal rate."""

    def __init__(self, app: ASGIApp, limit: Limit) -> None:
        self._app = app
        self._refusals = AddressBuckets(limit)
        self._delayed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def delayed(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _REFUSED:
                await self._delay(client_address(scope), find_trace(scope))
            await send(message)

        await self._app(scope, receive, delayed)

    async def _delay(self, address: str, trace: Trace | None) -> None:
        bucket = self._refusals.of(address)
        within = bucket.left >= 1
        if within:
            bucket.take()
        overload = trace is not None and trace.problem == TooManyOpen.code
        if (overload or not within) and self._delayed < MOST_DELAYED:
            if trace is not None:
                trace.end()
            self._delayed += 1
            try:
                await asyncio.sleep(DELAY)
            finally:
                self._delayed -= 1
