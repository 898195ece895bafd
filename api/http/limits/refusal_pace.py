"""Slows down clients that are refused again and again; who is served notices nothing.

A client that repeats a refused request as fast as it can takes the turns of others, however cheap
each refusal is. Answered a moment later, it asks less often. A send that is refused for the load is
always answered later: 266 such refusals a second halved the rate of what ended.

A refusal that waits has left its key's and its tenant's limits: nothing else of theirs is refused
because of it.
"""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.limits.address_buckets import AddressBuckets, client_address
from api.http.trace import Trace, find_trace
from models.errors import TooManyOpen
from models.rules.tenants.token_bucket import Limit

DELAY: Final = 0.5
"""Seconds that a refusal waits: for the load always, else once an address has had too many."""

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
                await self._pace(client_address(scope), find_trace(scope))
            await send(message)

        await self._app(scope, receive, paced)

    async def _pace(self, address: str, trace: Trace | None) -> None:
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
