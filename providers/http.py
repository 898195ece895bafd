"""The shared HTTP client of all vendors, and the classification of failed calls."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from models.rules.retry_after import parse_seconds
from providers.ports.messages import Ambiguous, NotProcessed
from providers.vendor_client import VendorClient

_CONNECT_SECONDS: Final = 2.0
_KEPT: Final = 50
"""Idle connections to one host."""
_LONGEST_RETRY_AFTER: Final = timedelta(hours=1)
_WRITE_STARTS: Final = ("http11.send_request_headers.started", "http2.send_request_headers.started")


class DeadlinePassed(Exception):
    """The deadline passed before the call got a connection; no byte was written."""


def new_client(timeout: timedelta, *, connections: int = 200) -> httpx.AsyncClient:
    """Open a client that does not follow redirects.

    A call that is not made by `deliver` takes at most `timeout`.
    """
    return VendorClient(
        timeout=_limits(timeout),
        connections=connections,
        kept=_KEPT,
        ssl_context=httpx.create_ssl_context(trust_env=False),
    )


def _limits(timeout: timedelta) -> httpx.Timeout:
    return httpx.Timeout(timeout.total_seconds(), connect=_CONNECT_SECONDS)


async def deliver(
    client: httpx.AsyncClient, request: httpx.Request, *, not_after: datetime, timeout: timedelta
) -> httpx.Response | NotProcessed | Ambiguous:
    """Send a request that must not be sent twice; never start writing it after `not_after`.

    A failure before the first byte is NotProcessed. A later failure, including a timeout of the
    whole call, is Ambiguous: the vendor may have read the request. Cancellation propagates and
    leaves an attempt without an outcome, which counts as ambiguous too.
    """
    wrote = False

    async def fence(event: str, _info: dict[str, Any]) -> None:
        nonlocal wrote
        if event in _WRITE_STARTS:
            if datetime.now(UTC) >= not_after:
                raise DeadlinePassed
            wrote = True

    request.extensions["trace"] = fence
    # Of this call: an account may have a longer timeout than the client.
    request.extensions["timeout"] = _limits(timeout).as_dict()
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            return await client.send(request)
    except (httpx.HTTPError, httpx.StreamError, TimeoutError, DeadlinePassed) as error:
        word = type(error).__name__
    return Ambiguous(reason=word) if wrote else NotProcessed(reason=word)


def retry_after(response: httpx.Response) -> timedelta | None:
    """Return the delay of a Retry-After header in seconds, at most an hour; None for a date."""
    return parse_seconds(response.headers.get("Retry-After", ""), _LONGEST_RETRY_AFTER)
