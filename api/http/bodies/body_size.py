"""How large the body of each route may be, declared where the route is."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.datastructures import Headers
from starlette.types import Scope

KIB: Final = 1024
MIB: Final = 1024 * KIB

OTHERS: Final = 64 * KIB
"""Bytes of every route that declares nothing, and of unknown paths."""

SEND: Final = 384 * KIB
"""A lawful SMS with 50 metadata entries has 323 kB when a client escapes every character."""

EMAIL: Final = 4 * MIB
"""512 KiB of body in UTF-8 have 3 MiB when every character is escaped as \\uXXXX."""

WEBHOOK: Final = 256 * KIB

_ONE_REQUEST: Final = 256 * KIB

_ATTRIBUTE: Final = "__hexavox_body_size__"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def body_up_to(size: int) -> Callable[[Endpoint], Endpoint]:
    """Declare the size in bytes of the largest body that an endpoint takes."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, size)
        return endpoint

    return declare


def largest_body(scope: Scope) -> int:
    """Return the size in bytes of the largest body of a request that was routed."""
    size = getattr(scope.get("endpoint"), _ATTRIBUTE, OTHERS)
    assert isinstance(size, int)
    return size


def requests_worth(scope: Scope) -> int:
    """Return for how many requests one counts: one more for each 256 KiB of announced body.

    What a chunked body adds is known once it was read.
    """
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if is_chunked(headers) or not length.isdecimal():
        return 1
    return 1 + requests_more(min(int(length[:20]), largest_body(scope)))


def requests_more(size: int) -> int:
    """Return what a body of so many bytes adds to its request."""
    return size // _ONE_REQUEST


def is_chunked(headers: Headers) -> bool:
    """Tell whether the size of a body is not announced."""
    return "transfer-encoding" in headers


def format_size(size: int) -> str:
    """Write a size as `64 KiB` or `4 MiB`."""
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"
