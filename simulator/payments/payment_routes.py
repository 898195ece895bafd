"""The gateway's API: charge, look up, cancel, refund; and views for testers."""

import asyncio
from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import Json, Silence, problem
from simulator.clock import utc_now
from simulator.messages.submission import Malformed, decode, required_text
from simulator.messages.views import listing
from simulator.messages.vocabulary import Code
from simulator.payments.charges import Charge, ChargeStatus, parse_charge_request, status_at
from simulator.payments.gateway import (
    Gateway,
    KeyReused,
    NotRefundable,
    RefundRefused,
    charge_view,
    payment_view,
    refund_view,
)

KEY_HEADER = "Idempotency-Key"


class PaymentRoutes:
    """Handlers of one gateway; `closing` ends the requests that wait without a response."""

    def __init__(self, gateway: Gateway, closing: asyncio.Event) -> None:
        self._gateway = gateway
        self._closing = closing

    def routes(self, vendor: Sequence[Middleware], console: Sequence[Middleware]) -> list[Route]:
        """Return the routes, each with the checks of its API."""
        return [
            Route("/charges", self.charge, methods=["POST"], middleware=vendor),
            Route("/charges", self.search, methods=["GET"], middleware=vendor),
            Route("/charges/{id}", self.show, methods=["GET"], middleware=vendor),
            Route("/charges/{id}/cancel", self.cancel, methods=["POST"], middleware=vendor),
            Route("/refunds", self.refund, methods=["POST"], middleware=vendor),
            Route("/payments", self.payments, methods=["GET"], middleware=console),
            Route("/refunds", self.refunds, methods=["GET"], middleware=console),
        ]

    async def charge(self, request: Request) -> Response:
        """Charge once per key, with the outcome of the payment method."""
        key, order = _key(request), parse_charge_request(decode(await request.body()))
        now = utc_now()
        try:
            charge = self._gateway.charge(key, order, now)
        except KeyReused:
            return _key_reused()
        if order.method.silent:
            return Silence(self._closing)
        declined = status_at(charge, now) is ChargeStatus.DECLINED
        return Json(charge_view(charge, now), status_code=402 if declined else 200)

    async def search(self, request: Request) -> Response:
        """Return the charges with a reference; an empty list means that none was made."""
        reference = request.query_params.get("reference")
        if not reference:
            return problem(400, Code.MALFORMED, "reference is required")
        now = utc_now()
        found = self._gateway.with_reference(reference)
        return Json(listing([charge_view(charge, now) for charge in found]))

    async def show(self, request: Request) -> Response:
        """Return one charge."""
        charge = self._gateway.find(request.path_params["id"])
        return _no_charge() if charge is None else Json(charge_view(charge, utc_now()))

    async def cancel(self, request: Request) -> Response:
        """Cancel a charge; one that has ended is returned unchanged, with 409."""
        charge = self._gateway.find(request.path_params["id"])
        if charge is None:
            return _no_charge()
        now = utc_now()
        charge = self._gateway.cancel(charge, now)
        canceled = status_at(charge, now) is ChargeStatus.CANCELED
        return Json(charge_view(charge, now), status_code=200 if canceled else 409)

    async def refund(self, request: Request) -> Response:
        """Refund a charge, once per key."""
        key = _key(request)
        charge = self._gateway.find(required_text(decode(await request.body()), "chargeId"))
        if charge is None:
            return _no_charge()
        try:
            refund = self._gateway.refund(key, charge, utc_now())
        except KeyReused:
            return _key_reused()
        except RefundRefused:
            return problem(409, Code.REFUND_REFUSED, "the charge is not refunded")
        except NotRefundable:
            return self._not_refundable(charge)
        return Json(refund_view(refund, charge))

    async def payments(self, request: Request) -> Response:
        """List all charges, newest last."""
        now = utc_now()
        return Json(listing([payment_view(charge, now) for charge in self._gateway.charges()]))

    async def refunds(self, request: Request) -> Response:
        """List all refunds, newest last."""
        items = []
        for refund in self._gateway.refunds():
            charge = self._gateway.find(refund.charge_id)
            assert charge is not None
            items.append(refund_view(refund, charge))
        return Json(listing(items))

    def _not_refundable(self, charge: Charge) -> Response:
        if self._gateway.refunded(charge, utc_now()):
            return problem(409, Code.ALREADY_REFUNDED, "the charge is refunded already")
        return problem(409, Code.NOT_CHARGED, "the charge has taken no money")


def _key(request: Request) -> str:
    key = request.headers.get(KEY_HEADER, "")
    if not key:
        raise Malformed(f"{KEY_HEADER} is required")
    return key


def _key_reused() -> Response:
    return problem(409, Code.KEY_REUSED, "the key belongs to a different request")


def _no_charge() -> Response:
    return problem(404, Code.NOT_FOUND, "no such charge")
