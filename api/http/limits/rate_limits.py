"""Rate and concurrency limits per key and per tenant, and the headers that state them."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, TypeAlias

from models.errors import RateLimited
from models.queries.tenants.request_limits import Served, SharedBucket
from models.rules.tenants.token_bucket import Limit, TokenBucket

MOST_BUCKETS: Final = 20_000
"""Buckets kept (least recently used are evicted); an evicted one starts again full."""

_MOST_SETTLED: Final = 1000
"""Maximum buckets per statement."""

_BucketKey: TypeAlias = tuple[int, int]
"""Tenant id and key id; key id 0 is the tenant's own bucket."""


class RequestLimits:
    """The buckets of one process, which decides on its own.

    `api.http.limits.limit_settlement` shares them with other processes.
    """

    def __init__(
        self, *, key: Limit, tenant: Limit, clock: Callable[[], float] = monotonic
    ) -> None:
        self.key = key
        self.tenant = tenant
        self._clock = clock
        self._buckets: OrderedDict[_BucketKey, TokenBucket] = OrderedDict()
        self._used: dict[_BucketKey, TokenBucket] = {}

    def enter(
        self, tenant_id: int, key_id: int, headers: dict[str, str], cost: int = 1
    ) -> Callable[[], None]:
        """Admit one request, or raise RateLimited; both set the rate-limit headers.

        A request that costs more than the remaining tokens is admitted if at least one is left. The
        balance becomes negative and later requests wait until it is refilled.

        Returns a function that must be called once when the request ends.
        """
        now = self._clock()
        mine = self._bucket((tenant_id, key_id), self.key, now)
        ours = self._bucket((tenant_id, 0), self.tenant, now)
        for bucket in (mine, ours):
            if bucket.under_way >= bucket.limit.at_once:
                headers.update(_headers_at_once(bucket.limit))
                raise RateLimited(retry_after=1)
        binding = min(mine, ours, key=lambda bucket: bucket.left)
        allowed = binding.left >= 1
        if allowed:
            for whose, bucket in (((tenant_id, key_id), mine), ((tenant_id, 0), ours)):
                bucket.take(cost)
                bucket.under_way += 1
                self._used[whose] = bucket
        headers.update(rate_headers(binding))
        if not allowed:
            raise RateLimited(retry_after=max(mine.next_after, ours.next_after))

        def leave() -> None:
            mine.under_way -= 1
            ours.under_way -= 1

        return leave

    def charge(self, tenant_id: int, key_id: int, headers: dict[str, str], cost: int) -> None:
        """Charge the cost of an admitted request that was unknown when it was admitted."""
        if not cost:
            return
        now = self._clock()
        buckets = []
        for whose, limit in (((tenant_id, key_id), self.key), ((tenant_id, 0), self.tenant)):
            bucket = self._bucket(whose, limit, now)
            bucket.take(cost)
            self._used[whose] = bucket
            buckets.append(bucket)
        headers.update(rate_headers(min(buckets, key=lambda bucket: bucket.left)))

    def due(self) -> list[Served]:
        """Return the usage that is due to be settled with the other processes."""
        now = self._clock()
        due = [(whose, bucket) for whose, bucket in self._used.items() if bucket.is_due(now)]
        return [
            Served(tenant_id=tenant, key_id=key, requests=bucket.unsettled)
            for (tenant, key), bucket in due[:_MOST_SETTLED]
        ]

    def settle(self, told: Sequence[Served], shared: Sequence[SharedBucket]) -> None:
        """Apply the shared state that the settlement returned."""
        now = self._clock()
        requests = {(one.tenant_id, one.key_id): one.requests for one in told}
        for one in shared:
            whose = one.tenant_id, one.key_id
            bucket = self._used[whose]
            bucket.settle(requests[whose], tokens=one.tokens, demand=one.demand, now=now)
            if not bucket.unsettled:
                del self._used[whose]

    def _bucket(self, whose: _BucketKey, limit: Limit, now: float) -> TokenBucket:
        bucket = self._buckets.get(whose)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                self._buckets.popitem(last=False)
            bucket = self._buckets[whose] = TokenBucket(limit, limit.burst, now)
        self._buckets.move_to_end(whose)
        bucket.refill(now)
        return bucket


def rate_headers(bucket: TokenBucket) -> dict[str, str]:
    """Return the rate-limit headers of a bucket.

    draft-ietf-httpapi-ratelimit-headers: q requests in w seconds; r left, full again after t.
    """
    limit = bucket.limit
    return {
        "RateLimit-Policy": f'"{limit.name}";q={limit.burst};w={limit.window}',
        "RateLimit": f'"{limit.name}";r={bucket.left};t={bucket.full_after}',
    }


def _headers_at_once(limit: Limit) -> dict[str, str]:
    name = f"{limit.name}-concurrency"
    return {
        "RateLimit-Policy": f'"{name}";q={limit.at_once};qu="concurrent-requests"',
        "RateLimit": f'"{name}";r=0',
    }
