"""Checks that every public route runs before its handler: authentication, rate limits, scope,
query.

They are part of the route class, not a dependency: FastAPI parses the body before it calls the
first dependency, and unauthenticated callers must get 401 and nothing else.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol

from fastapi import APIRouter, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from api.http.auth import Authenticator, Caller
from api.http.bodies.body_size import is_chunked, is_streamed, requests_more, requests_worth
from api.http.bodies.strict_json import JsonRequest, check_text, yield_to_event_loop
from api.http.idempotency import KEY_HEADER, IdempotentRequest, identify
from api.http.limits.rate_limits import RequestLimits
from api.http.metadata_filter import METADATA, METADATA_FILTER
from api.http.problems import ANY, of
from api.http.trace import template_of, trace_of
from models.enums import KeyScope
from models.errors import BadRequest, MalformedJson, ValidationFailed
from models.key_errors import ScopeMissing
from models.rules.consent.contact_keys import ContactKeys

PREFIX = "/api/v1"


class PublicRoute(APIRoute):
    """A route of the public contract: checks credentials, rate limits, scope, query and body in
    this order.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler in the checks."""
        answer: Callable[[Request], Awaitable[Response]] = super().get_route_handler()
        flat = get_flat_params(self.dependant)
        has_body = self.body_field is not None
        # An endpoint that reads its body itself looks up the keys of invalid requests itself.
        is_keyed = not is_streamed(self.endpoint) and any(
            field.alias == KEY_HEADER for field in flat
        )
        query = frozenset(
            field.alias for field in flat if isinstance(field.field_info, params.Query)
        )
        has_metadata = METADATA_FILTER in (self.openapi_extra or {}).get("parameters", ())

        async def checked_handler(request: Request) -> Response:
            caller = await _admit(request)
            _check_scope(request, caller)
            _check_query(request, query, has_metadata=has_metadata)
            for name, value in request.path_params.items():
                check_text(str(value), (name,))
            reading = JsonRequest(request.scope, request.receive)
            if has_body and is_chunked(request.headers):
                reading = await _read_chunked(request, caller)
            try:
                if has_body and await reading.body():
                    await reading.json()
                response = await answer(reading)
            except _INVALID as error:
                if is_keyed and not isinstance(error, MalformedJson):
                    await _check_key(reading, caller)
                raise
            response.headers["Cache-Control"] = "no-store"
            return response

        return checked_handler


def public_router(path: str, tag: str) -> APIRouter:
    """Return a router of the public contract."""
    return APIRouter(prefix=PREFIX + path, tags=[tag], route_class=PublicRoute, responses=of(*ANY))


_INVALID = (RequestValidationError, BadRequest)


class UsedKeys(Protocol):
    """Looks up the keys of earlier requests."""

    async def check_unused(self, caller: Caller, request: IdempotentRequest) -> None:
        """Raise IdempotencyKeyReused if the key was used for another request."""
        ...


class LastUses(Protocol):
    """Records when keys were last used."""

    def note(self, tenant_id: int, key_id: int) -> None:
        """Note that a key was used now."""
        ...


class Gate(Protocol):
    """The services that the checks of public routes use."""

    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def limits(self) -> RequestLimits: ...
    @property
    def contact_keys(self) -> ContactKeys: ...
    @property
    def used_keys(self) -> UsedKeys: ...
    @property
    def last_uses(self) -> LastUses: ...
    @property
    def route_scopes(self) -> Mapping[str, KeyScope]: ...


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.services
    return gate


async def _admit(request: Request) -> Caller:
    gate = _gate(request)
    trace = trace_of(request.scope)
    caller = trace.caller = await gate.authenticator.authenticate(request, trace.headers)
    gate.last_uses.note(caller.tenant_id, caller.key_id)
    cost = requests_worth(request.scope)
    trace.at_end.append(gate.limits.enter(caller.tenant_id, caller.key_id, trace.headers, cost))
    return caller


def _check_scope(request: Request, caller: Caller) -> None:
    """Raise ScopeMissing if the key lacks the scope of this route, or the route declares none."""
    route = f"{request.method} {template_of(request.scope)}"
    required = _gate(request).route_scopes.get(route)
    if required is None:
        raise ScopeMissing(f"No scope is declared for {route}, so no API key may call it.")
    caller.check_scope(required)


async def _read_chunked(request: Request, caller: Caller) -> JsonRequest:
    """Read a body of unknown size and charge its cost, even if reading fails."""
    size = 0

    async def counting() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        return message

    reading = JsonRequest(request.scope, counting)
    try:
        await reading.body()
    finally:
        headers = trace_of(request.scope).headers
        _gate(request).limits.charge(caller.tenant_id, caller.key_id, headers, requests_more(size))
    return reading


async def _check_key(reading: JsonRequest, caller: Caller) -> None:
    """Raise IdempotencyKeyReused if an invalid request has the key of another request.

    Only invalid requests are looked up here: the services look up the keys of valid ones.
    """
    gate, given = _gate(reading), reading.headers.getlist(KEY_HEADER)
    if not given:
        return
    await yield_to_event_loop(await reading.body())
    try:
        request = identify(reading, caller, given, reading.document, gate.contact_keys)
    except (ValidationFailed, RecursionError):
        return  # there is no valid key, or the body is nested too deep for a fingerprint
    await gate.used_keys.check_unused(caller, request)


def _check_query(request: Request, known: frozenset[str], *, has_metadata: bool) -> None:
    """Refuse unknown and repeated query parameters, which would otherwise be ignored silently."""
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        check_text(name, ("query",))
        check_text(value, (name,))
        if name not in known and not (has_metadata and name.startswith(METADATA)):
            raise _wrong(name, "is not a query parameter of this route")
        if name in seen:
            raise _wrong(name, "is given more than once")
        seen.add(name)


def _wrong(name: str, reason: str) -> ValidationFailed:
    return ValidationFailed(f"{name[:100]} {reason}", ((name[:100], reason),))
