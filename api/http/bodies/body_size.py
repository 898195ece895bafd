"""The maximum body size of each route, declared on its endpoint."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.datastructures import Headers
from starlette.types import Scope

KIB: Final = 1024
MIB: Final = 1024 * KIB

OTHERS: Final = 64 * KIB
"""Bytes; for routes that declare no size and for unknown paths."""

SEND: Final = 384 * KIB
"""Bytes. The largest valid SMS, with 50 metadata entries, has 323 kB if every character is
escaped.
"""

EMAIL: Final = 4 * MIB
"""Bytes. 512 KiB of UTF-8 become 3 MiB when every character is escaped as \\uXXXX."""

BATCH: Final = 10 * MIB

WEBHOOK: Final = 256 * KIB

_ONE_REQUEST: Final = 256 * KIB

_ATTRIBUTE: Final = "__hexavox_body_size__"
_STREAMED: Final = "__hexavox_streamed_body__"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def body_up_to(size: int) -> Callable[[Endpoint], Endpoint]:
    """Declare the maximum body size of an endpoint, in bytes."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, size)
        return endpoint

    return declare


def streamed_body_up_to(size: int) -> Callable[[Endpoint], Endpoint]:
    """Declare that an endpoint reads its body itself, while it arrives, up to a size in bytes.

    It counts as one request for the rate limits, whatever its size.
    """

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _STREAMED, True)
        return body_up_to(size)(endpoint)

    return declare


def is_streamed(endpoint: object) -> bool:
    """Return whether an endpoint reads its body itself."""
    return bool(getattr(endpoint, _STREAMED, False))


def largest_body(scope: Scope) -> int:
    """Return the maximum body size of a routed request, in bytes."""
    size = getattr(scope.get("endpoint"), _ATTRIBUTE, OTHERS)
    assert isinstance(size, int)
    return size


def requests_worth(scope: Scope) -> int:
    """Return the rate-limit cost of a request: 1, plus 1 per 256 KiB of announced body.

    The cost of a chunked body is known once it is read; a streamed one costs nothing more.
    """
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    is_known = not is_chunked(headers) and length.isdecimal()
    if not is_known or is_streamed(scope.get("endpoint")):
        return 1
    return 1 + requests_more(min(int(length[:20]), largest_body(scope)))


def requests_more(size: int) -> int:
    """Return the additional rate-limit cost of a body of `size` bytes."""
    return size // _ONE_REQUEST


def is_chunked(headers: Headers) -> bool:
    """Return whether the body is sent without a Content-Length."""
    return "transfer-encoding" in headers


def format_size(size: int) -> str:
    """Format a size as `64 KiB` or `4 MiB`."""
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"
