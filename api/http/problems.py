"""Maps every error to a problem response (RFC 9457, application/problem+json)."""

import logging
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.http.problem_response import MEDIA_TYPE, problem_type, render
from api.schemas.patterns import form_of
from models.database.faults import fault_of
from models.enums import Channel
from models.errors import (
    BadRequest,
    HeadersTooLarge,
    HexavoxError,
    IdempotencyKeyReused,
    InvalidCredentials,
    MalformedJson,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    RequestTimedOut,
    TemporarilyUnavailable,
    UnsupportedMediaType,
    ValidationFailed,
)
from models.key_errors import ScopeMissing

MOST_ERRORS = 50
_LONGEST_NAME = 120

ANY = (
    ValidationFailed,
    InvalidCredentials,
    ScopeMissing,
    RateLimited,
    HeadersTooLarge,
    TemporarilyUnavailable,
)
"""Errors of every public route."""

WRITE = (
    *ANY,
    MalformedJson,
    RequestTimedOut,
    PayloadTooLarge,
    UnsupportedMediaType,
    IdempotencyKeyReused,
)
"""Errors of every public route with a body."""

_BY_STATUS: dict[int, type[HexavoxError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}

log = logging.getLogger(__name__)


def of(*errors: type[HexavoxError]) -> dict[int | str, dict[str, Any]]:
    """Return errors in the form of a route's `responses=`, with one example per code."""
    grouped: defaultdict[int, list[type[HexavoxError]]] = defaultdict(list)
    for error in dict.fromkeys(errors):
        grouped[error.status].append(error)
    return {
        status: {
            "description": " · ".join(f"`{error.code}` {error.title}." for error in kinds),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {error.code: _example(error) for error in kinds},
                }
            },
        }
        for status, kinds in sorted(grouped.items())
    }


_KIND_TRIED = re.compile(r"(constrained|function)-|(list|dict)\[")

_PLAIN = {
    "extra_forbidden": "is not a known field",
    "missing": "is required",
    "union_tag_not_found": "is required",
    "union_tag_invalid": f"must be one of {', '.join(Channel)}",
    **dict.fromkeys(
        ("datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"),
        "must be a time that exists, in ISO 8601 with a time zone, such as 2026-04-16T13:20:00Z",
    ),
}
"""Replacements for messages of pydantic that are less specific."""


def install(app: FastAPI) -> None:
    """Install the error handlers."""
    handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
        HexavoxError: _known,
        RequestValidationError: _invalid,
        HTTPException: _http,
        DBAPIError: _database_failed,
        PoolTimeoutError: _database_failed,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def field_name(path: tuple[int | str, ...]) -> str:
    """Format a location in a document as a field path in the names of the contract."""
    return ".".join(str(step) for step in path)[:_LONGEST_NAME]


async def _known(request: Request, error: HexavoxError) -> Response:
    return render(request, error)


def _is_named(step: int | str) -> bool:
    """Return whether a path step is a field; pydantic adds the names of union members."""
    return isinstance(step, int) or not _KIND_TRIED.match(step)


def _where(entry: Mapping[str, Any]) -> str:
    """Return the field path of a pydantic error."""
    if entry["type"].startswith("union_tag_"):
        return str(entry["ctx"]["discriminator"]).strip("'")
    first, *path = entry["loc"]
    if len(path) > 1 and path[0] in set(Channel):  # the discriminator of the union over channels
        path = path[1:]
    return field_name(tuple(filter(_is_named, path))) or str(first)


def _reason(entry: Mapping[str, Any]) -> str:
    """Return the requirement that a value violates, for a pydantic error."""
    if entry["type"] == "string_pattern_mismatch":
        return form_of(str(entry["ctx"]["pattern"]))
    return _PLAIN.get(entry["type"], str(entry["msg"]).removeprefix("Value error, "))


def invalid(entries: Sequence[Mapping[str, Any]]) -> ValidationFailed:
    """Return the error for errors of pydantic, whose locations begin with the part of a request."""
    wrong = tuple((_where(entry), _reason(entry)) for entry in entries[:MOST_ERRORS])
    return ValidationFailed("; ".join(map(": ".join, wrong))[:500], wrong)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    return render(request, invalid(error.errors()))


async def _http(request: Request, error: HTTPException) -> Response:
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        kind = BadRequest if 400 <= error.status_code < 500 else HexavoxError
    response = render(request, kind())
    response.headers.update(dict(error.headers or {}))
    if kind is MethodNotAllowed and (methods := _methods(request)):
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _methods(request: Request) -> set[str]:
    """Return every method of the requested path.

    Each method is a route of its own, and the framework lists only those of the first. A literal
    path (`/messages/sms`) takes precedence over one with a parameter.
    """
    routes = [
        (len(route.param_convertors), route.methods)
        for route in iter_route_contexts(request.app.routes)
        if route.methods and route.path_regex.match(request.scope["path"])
    ]
    fewest = min((parameters for parameters, _ in routes), default=0)
    methods = {name for parameters, names in routes if parameters == fewest for name in names}
    return methods | {"HEAD"} if "GET" in methods else methods


async def _database_failed(request: Request, error: DBAPIError | PoolTimeoutError) -> Response:
    fault = fault_of(error)
    if fault is None:
        raise error  # a programming error, answered with 500
    kind = type(error.orig if isinstance(error, DBAPIError) else error).__name__
    log.error("database unavailable", extra={"error": kind, "fault": fault.name})
    return render(request, TemporarilyUnavailable())


def _example(error: type[HexavoxError]) -> dict[str, Any]:
    return {
        "summary": error.title,
        "description": error.default_detail(),
        "value": {
            "type": problem_type(error.code),
            "title": error.title,
            "status": error.status,
            "detail": error.default_detail(),
            "code": error.code,
            "requestId": "0f7c2f7d6b8e4c1f9a3e5d2b1c0a9f8e",
        },
    }
