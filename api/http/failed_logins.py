"""How often one address may present wrong credentials; each process counts for itself."""

from collections.abc import Callable
from time import monotonic

from api.http.address_buckets import AddressBuckets
from api.limits import rate_headers
from models.errors import RateLimited
from models.rules.token_bucket import Limit


class FailedLogins:
    """Counts failures by address."""

    def __init__(self, limit: Limit, *, clock: Callable[[], float] = monotonic) -> None:
        self._buckets = AddressBuckets(limit, clock=clock)

    def check(self, address: str, headers: dict[str, str]) -> None:
        """Raise RateLimited for an address that has failed too often."""
        bucket = self._buckets.of(address)
        if bucket.left < 1:
            headers.update(rate_headers(bucket))
            raise RateLimited(retry_after=bucket.next_after)

    def count(self, address: str, headers: dict[str, str]) -> None:
        """Count one failure; raises RateLimited if it is one too many."""
        self.check(address, headers)
        self._buckets.of(address).take()
