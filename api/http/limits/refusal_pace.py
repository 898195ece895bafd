"""Slows down clients that are refused again and again; who is served notices nothing.

A client that repeats a refused request as fast as it can takes the turns of others, however cheap
each refusal is. Answered a moment later, it asks less often.
"""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.limits.address_buckets import AddressBuckets, client_address
from models.rules.tenants.token_bucket import Limit

DELAY: Final = 0.25
"""Seconds that a refusal waits once an address has had too many."""

MOST_DELAYED: Final = 1000
"""Refusals that wait at the same time in one process; the others are answered at once."""

_REFUSED: Final = range(400, 500)
"""What is our own fault is not held against anybody."""


class RefusalPace:
    """Delays 4xx answers to addresses that have had more than their rate of them."""

    def __init__(self, app: ASGIApp, limit: Limit) -> None:
        self._app = app
        self._refusals = AddressBuckets(limit)
        self._delayed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def paced(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _REFUSED:
                await self._pace(client_address(scope))
            await send(message)

        await self._app(scope, receive, paced)

    async def _pace(self, address: str) -> None:
        bucket = self._refusals.of(address)
        if bucket.left >= 1:
            bucket.take()
        elif self._delayed < MOST_DELAYED:
            self._delayed += 1
            try:
                await asyncio.sleep(DELAY)
            finally:
                self._delayed -= 1
