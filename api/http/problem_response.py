"""Renders an error as a problem response (RFC 9457), for the API and a worker's health server.

It does not import FastAPI, which a worker does not need.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.http.trace import trace_of
from api.schemas.problems import FieldError, Problem
from models.batch_errors import TooManyBatches
from models.errors import (
    BadRequest,
    DestinationLimited,
    HexavoxError,
    InvalidCredentials,
    RateLimited,
    TemporarilyUnavailable,
    TooManyOpen,
    UnsupportedMediaType,
)

MEDIA_TYPE: Final = "application/problem+json"

_TO_RETRY: Final = (
    RateLimited,
    TooManyOpen,
    TooManyBatches,
    DestinationLimited,
    TemporarilyUnavailable,
)
"""Errors with a number of seconds after which to try again."""


class ProblemResponse(JSONResponse):
    """A problem response."""

    media_type = MEDIA_TYPE


def render(request: Request, error: HexavoxError) -> Response:
    """Return the response of a known error."""
    trace = trace_of(request.scope)
    trace.problem = error.code
    problem = Problem(
        type=problem_type(error.code),
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        requestId=trace.request_id,
        errors=_listed(error),
    )
    return ProblemResponse(
        problem.model_dump(mode="json", by_alias=True, exclude_none=True),
        status_code=error.status,
        headers=_headers(error),
    )


def problem_type(code: str) -> str:
    """Return the URI of a code."""
    return f"urn:hexavox:problem:{code}"


def _listed(error: HexavoxError) -> list[FieldError] | None:
    if not isinstance(error, BadRequest) or not error.errors:
        return None
    return [FieldError(field=field, message=message) for field, message in error.errors]


def _headers(error: HexavoxError) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, _TO_RETRY):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, UnsupportedMediaType) and error.coding:
        headers["Accept-Encoding"] = "identity"  # RFC 9110, 12.5.3
    if isinstance(error, InvalidCredentials):
        headers["WWW-Authenticate"] = 'ApiKey realm="HexaVox"'
    return headers
