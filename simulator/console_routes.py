"""The simulator's own API: read deliveries, send inbound messages, inject faults."""

from collections.abc import Sequence
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import Json
from simulator.clock import utc_now
from simulator.faults import Faults, FaultSwitch
from simulator.messages.carrier import Carrier
from simulator.messages.inbound_texts import Inbox
from simulator.messages.submission import decode, parse_limit
from simulator.messages.views import delivery_view


class ConsoleRoutes:
    """Handlers for tests, demos and integrators; faults never affect them."""

    def __init__(self, carrier: Carrier, inbox: Inbox, switch: FaultSwitch) -> None:
        self._carrier = carrier
        self._inbox = inbox
        self._switch = switch

    def routes(self, console: Sequence[Middleware]) -> list[Route]:
        """Return the routes; all but /healthz require the console's checks."""
        routes = (
            ("/deliveries", self.deliveries, ["GET"]),
            ("/inbound", self.inbound, ["POST"]),
            ("/inbound-url", self.inbound_url, ["GET", "POST"]),
            ("/faults", self.faults, ["GET", "POST", "DELETE"]),
        )
        return [
            Route("/healthz", self.health, methods=["GET"]),
            *(Route(path, to, methods=verbs, middleware=console) for path, to, verbs in routes),
        ]

    async def health(self, request: Request) -> Response:
        """Return 200 while the server runs."""
        return Json({"status": "ok"})

    async def deliveries(self, request: Request) -> Response:
        """List the delivered copies, of one recipient if `to` is given.

        `limit` shows the newest few only; `count` still counts all.
        """
        copies = self._carrier.copies(_recipient(request), utc_now())
        limit = parse_limit(request.query_params.get("limit"))
        shown = copies if limit is None else copies[max(0, len(copies) - limit) :]
        items = [delivery_view(copy.message, copy.recipient, copy.at) for copy in shown]
        return Json({"count": len(copies), "items": items})

    async def inbound(self, request: Request) -> Response:
        """Send an SMS as a recipient."""
        event_id = self._inbox.receive(await _fields(request), utc_now())
        return Json({"eventId": event_id, "status": "accepted"}, status_code=202)

    async def inbound_url(self, request: Request) -> Response:
        """Show or set the webhook URL of inbound messages."""
        if request.method == "POST":
            self._inbox.redirect(await _fields(request))
        return Json({"url": self._inbox.url})

    async def faults(self, request: Request) -> Response:
        """Show, change or clear the injected faults."""
        if request.method == "DELETE":
            self._switch.faults = Faults()
        elif request.method == "POST":
            self._switch.faults = self._switch.faults.changed(await _fields(request))
        return Json(self._switch.faults.document())


def _recipient(request: Request) -> str | None:
    """Parse `to`; an unencoded plus sign is decoded as a space, which begins no number."""
    to = request.query_params.get("to")
    return "+" + to.lstrip() if to and to.startswith(" ") else to


async def _fields(request: Request) -> dict[str, Any]:
    return decode(await request.body())
