"""A token bucket per client address. Each process has its own; they are not shared."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Final

from starlette.types import Scope

from models.rules.tenants.token_bucket import Limit, TokenBucket

MOST_ADDRESSES: Final = 10_000
"""Addresses kept (least recently used are evicted); an evicted one starts again with a full
bucket.
"""

_LONGEST: Final = 64
_NETWORK: Final = (1 << 128) - (1 << 64)
"""An IPv6 customer has a whole /64, so the lower 64 bits are ignored."""


class AddressBuckets:
    """Buckets of the most recently seen addresses."""

    def __init__(self, limit: Limit, *, clock: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def of(self, address: str) -> TokenBucket:
        """Return the refilled bucket of an address."""
        now = self._clock()
        bucket = self._buckets.get(address)
        if bucket is None:
            if len(self._buckets) >= MOST_ADDRESSES:
                self._buckets.popitem(last=False)
            bucket = self._buckets[address] = TokenBucket(self._limit, self._limit.burst, now)
        self._buckets.move_to_end(address)
        bucket.refill(now)
        return bucket


def client_address(scope: Scope) -> str:
    """Return the address that is rate limited: an IPv4 address or an IPv6 /64."""
    client = scope.get("client")
    host = client[0][:_LONGEST] if client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)  # a Unix socket, or free text from a trusted proxy
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) & _NETWORK)}/64"
    return str(address)
