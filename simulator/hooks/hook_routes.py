"""The receivers of webhooks: `POST /hooks/<name>` stores, the console lists and sets behaviour."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simulator.answers import Json, Silence, problem
from simulator.clock import utc_now
from simulator.hooks.received_webhook import IncomingWebhook
from simulator.hooks.receivers import MOST_RECEIVERS, Listing, Receivers, TooManyReceivers
from simulator.messages.submission import Malformed, decode, parse_limit
from simulator.messages.vocabulary import Code

MOST_HANGING: Final = 100
"""Requests of all receivers that wait without a response."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REASON: Final = "this receiver was told to fail, or too many requests wait for an answer"
_CODES: Final = {410: Code.GONE, 429: Code.RATE_LIMITED, 503: Code.UNAVAILABLE}


class HookRoutes:
    """Handlers of all receivers; `closing` ends the requests that wait without a response."""

    def __init__(self, receivers: Receivers, closing: asyncio.Event) -> None:
        self._receivers = receivers
        self._closing = closing
        self._places = asyncio.Semaphore(MOST_HANGING)

    def routes(self, hook: Sequence[Middleware], console: Sequence[Middleware]) -> list[Route]:
        """Return the routes; only the receipt of a webhook is outside of the console."""
        one, behaviour = "/hooks/{name}", "/hooks/{name}/behaviour"
        changes = ["GET", "POST", "DELETE"]
        return [
            Route(one, self.receive, methods=["POST"], middleware=hook),
            Route(one, self.webhooks, methods=["GET", "DELETE"], middleware=console),
            Route(behaviour, self.behaviour, methods=changes, middleware=console),
        ]

    async def receive(self, request: Request) -> Response:
        """Store one webhook and answer as the receiver was told."""
        name = _name(request)
        incoming = IncomingWebhook.from_request(request.headers, await request.body())
        may_hang = not self._places.locked()
        try:
            answer = self._receivers.receive(name, incoming, utc_now(), may_hang=may_hang)
        except TooManyReceivers:
            return _too_many()
        if answer.status is None:
            return _Hang(self._closing, self._places)
        return _response(answer.status, answer.retry_after)

    async def webhooks(self, request: Request) -> Response:
        """List what a receiver has stored, newest last, or delete it.

        `limit` shows the newest few only; `count` still counts all.
        """
        name, limit = _name(request), parse_limit(request.query_params.get("limit"))
        if request.method == "DELETE":
            self._receivers.empty(name)
        return _listing(self._receivers.listing(name, limit))

    async def behaviour(self, request: Request) -> Response:
        """Show, change or reset the behaviour of a receiver."""
        name = _name(request)
        if request.method == "DELETE":
            self._receivers.reset(name)
        elif request.method == "POST":
            try:
                self._receivers.change(name, decode(await request.body()))
            except TooManyReceivers:
                return _too_many()
        return Json(self._receivers.behaviour(name).view())


class _Hang(Silence):
    """Sends no response, and occupies one of the places for that meanwhile."""

    def __init__(self, closing: asyncio.Event, places: asyncio.Semaphore) -> None:
        super().__init__(closing)
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the request open; there is a place, because nothing ran since it was seen."""
        async with self._places:
            await super().__call__(scope, receive, send)


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    if not _NAME.fullmatch(name):
        raise Malformed("the name must be 1 to 64 letters, digits, dots, underscores and hyphens")
    return name


def _response(status: int, retry_after: int | None) -> Response:
    if status == 200:
        return Json({"status": "ok"})
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return problem(status, _CODES.get(status, Code.INTERNAL), _REASON, headers)


def _listing(listing: Listing) -> Response:
    """Join the stored views; encoding them anew could take the event loop too long."""
    counts = b'{"count":%d,"received":%d,"items":[' % (listing.count, listing.received)
    items = [part for view in listing.views for part in (b",", view)][1:]
    return Response(b"".join([counts, *items, b"]}"]), media_type="application/json")


def _too_many() -> Response:
    text = f"at most {MOST_RECEIVERS} receivers have a behaviour: DELETE /hooks/<name>/behaviour"
    return problem(503, Code.UNAVAILABLE, text)
