"""The registry's API for adapters: submit, look up, search numbers."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from simulator.answers import Json, problem
from simulator.clock import iso, utc_now
from simulator.messages.submission import (
    Malformed,
    decode,
    optional_text,
    required_text,
    required_url,
)
from simulator.messages.views import listing
from simulator.messages.vocabulary import Code
from simulator.registry.registry import Declined, Record, Registry, Request
from simulator.registry.registry_inventory import NumberType, Offer
from simulator.registry.registry_outcomes import Collection, Status, decision_of

_AREA_CODE = re.compile(r"[2-9]\d{2}", re.ASCII)
_MOST_OFFERS = 100


class RegistryRoutes:
    """Handlers over one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def routes(self, vendor: Sequence[Middleware], console: Sequence[Middleware]) -> list[Route]:
        """Return the routes, each with the checks of its API."""
        gated = [
            ("/registry/numbers/available", self.available, "GET"),
            ("/registry/{collection}", self.take, "POST"),
            ("/registry/{collection}", self.search, "GET"),
            ("/registry/{collection}/{id}", self.show, "GET"),
        ]
        return [
            *(Route(path, to, methods=[verb], middleware=vendor) for path, to, verb in gated),
            Route("/registrations", self.everything, methods=["GET"], middleware=console),
        ]

    async def take(self, http: HttpRequest) -> Response:
        """Accept one request; a known reference returns the earlier one."""
        collection = _collection(http.path_params["collection"])
        fields = decode(await http.body())
        request, not_after = _request(collection, fields), _moment(fields, "notAfter")
        now = utc_now()
        if now >= not_after:
            return problem(422, Code.EXPIRED, "expired")
        try:
            record = self._registry.take(request, now)
        except Declined as declined:
            return problem(422, declined.code, str(declined))
        return Json(_view(record, now), status_code=202)

    async def search(self, http: HttpRequest) -> Response:
        """Return the request with a reference; an empty list means that none was accepted."""
        reference = http.query_params.get("reference")
        if not reference:
            return problem(400, Code.MALFORMED, "reference is required")
        collection = _collection(http.path_params["collection"])
        found = self._registry.with_reference(collection, reference)
        return Json(listing([] if found is None else [_view(found, utc_now())]))

    async def show(self, http: HttpRequest) -> Response:
        """Return the current state of one request."""
        collection = _collection(http.path_params["collection"])
        record = self._registry.find(collection, http.path_params["id"])
        if record is None:
            return problem(404, Code.NOT_FOUND, "no such registration")
        return Json(_view(record, utc_now()))

    async def available(self, http: HttpRequest) -> Response:
        """List the numbers on sale."""
        area_code = http.query_params.get("areaCode")
        if area_code is not None and not _AREA_CODE.fullmatch(area_code):
            raise Malformed("areaCode must be three digits")
        try:
            type = NumberType(http.query_params.get("type", NumberType.LOCAL))
        except ValueError:
            raise Malformed("type must be LOCAL or TOLL_FREE") from None
        limit = _limit(http.query_params.get("limit", "20"))
        return Json(listing([_offer(o) for o in self._registry.offers(area_code, type, limit)]))

    async def everything(self, http: HttpRequest) -> Response:
        """List all accepted requests, for tests and demos."""
        named = http.query_params.get("collection")
        collection = None if named is None else _collection(named)
        now = utc_now()
        return Json(listing([_view(record, now) for record in self._registry.all(collection)]))


def _collection(name: str) -> Collection:
    try:
        return Collection(name)
    except ValueError:
        raise Malformed(f"there are no {name[:40]} here") from None


def _request(collection: Collection, fields: Mapping[str, Any]) -> Request:
    of_a_number = collection not in (Collection.BRANDS, Collection.CAMPAIGNS)
    name = "number" if collection is Collection.NUMBERS else "numberId"
    return Request(
        collection=collection,
        reference=required_text(fields, "reference"),
        callback_url=required_url(fields, "callbackUrl"),
        legal_name=_name(fields) if collection is Collection.BRANDS else "",
        amends=None if of_a_number else optional_text(fields, "amends"),
        brand=required_text(fields, "brandId") if collection is Collection.CAMPAIGNS else None,
        campaign=(
            required_text(fields, "campaignId") if collection is Collection.ASSIGNMENTS else None
        ),
        number=required_text(fields, name) if of_a_number else None,
    )


def _name(fields: Mapping[str, Any]) -> str:
    """Parse the legal name; a sole proprietor has a display name only."""
    return optional_text(fields, "legalName") or required_text(fields, "displayName")


def _moment(fields: Mapping[str, Any], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(required_text(fields, name))
    except ValueError:
        raise Malformed(f"{name} must be an ISO 8601 time with an offset") from None
    if moment.tzinfo is None:
        raise Malformed(f"{name} must be an ISO 8601 time with an offset")
    return moment.astimezone(UTC)


def _limit(given: str) -> int:
    if not (given.isascii() and given.isdigit()) or len(given) > 4:
        raise Malformed("limit must be a whole number")
    return min(int(given), _MOST_OFFERS)


def _view(record: Record, now: datetime) -> dict[str, Any]:
    request = record.request
    status = record.status(now)
    rejected = status is Status.REJECTED
    view: dict[str, Any] = {
        "id": record.id,
        "collection": request.collection,
        "reference": request.reference,
        "status": status,
        "reasons": list(
            decision_of(request.collection, request.legal_name).reasons if rejected else ()
        ),
        "at": iso(record.at),
    }
    if request.collection is Collection.NUMBERS:
        view["number"] = request.number
    return view


def _offer(offer: Offer) -> dict[str, Any]:
    return {
        "number": offer.number,
        "type": offer.type,
        "locality": offer.locality,
        "region": offer.region,
    }
