"""Limits failed authentication per client address. Each process counts separately."""

from collections.abc import Callable
from time import monotonic

from api.http.limits.address_buckets import AddressBuckets
from api.http.limits.rate_limits import rate_headers
from models.errors import RateLimited
from models.rules.tenants.token_bucket import Limit, TokenBucket


class FailedLogins:
    """Counts failures per address, and separately the failures that needed a look-up.

    Both have the same limit. A client that repeats one revoked key uses up its failures but hardly
    any look-ups, so a new key from the same address is still found.
    """

    def __init__(self, limit: Limit, *, clock: Callable[[], float] = monotonic) -> None:
        self._failures = AddressBuckets(limit, clock=clock)
        self._look_ups = AddressBuckets(limit, clock=clock)

    def check_look_up(self, address: str, headers: dict[str, str]) -> None:
        """Raise RateLimited if too many keys of this address were looked up and not found."""
        _check(self._look_ups.of(address), headers)

    def count(self, address: str, headers: dict[str, str], *, looked_up: bool) -> None:
        """Count one failure; raises RateLimited if it exceeds the limit."""
        if looked_up:
            self._look_ups.of(address).take()
        failures = self._failures.of(address)
        _check(failures, headers)
        failures.take()


def _check(bucket: TokenBucket, headers: dict[str, str]) -> None:
    if bucket.left < 1:
        headers.update(rate_headers(bucket))
        raise RateLimited(retry_after=bucket.next_after)
