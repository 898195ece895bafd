"""A token bucket for each client address. Each process has its own; they are not shared."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Final

from starlette.types import Scope

from models.rules.tenants.token_bucket import Limit, TokenBucket

MOST_ADDRESSES: Final = 10_000
"""The ones seen last are kept; one that was forgotten has a full bucket again."""

_LONGEST: Final = 64
_NETWORK: Final = (1 << 128) - (1 << 64)
"""One IPv6 customer has a whole /64."""


class AddressBuckets:
    """The buckets of the addresses seen last."""

    def __init__(self, limit: Limit, *, clock: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def of(self, address: str) -> TokenBucket:
        """Return the bucket of an address, refilled."""
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
    """Return whose requests are counted together: an IPv4 address or an IPv6 /64."""
    client = scope.get("client")
    host = client[0][:_LONGEST] if client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return str(host)  # a Unix socket, or what a trusted proxy wrote
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{IPv6Address(int(address) & _NETWORK)}/64"
    return str(address)
