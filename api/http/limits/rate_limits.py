"""How much one key and one tenant may ask, in a second and at once, and the headers that say so."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final, TypeAlias

from models.errors import RateLimited
from models.queries.tenants.request_limits import Served, SharedBucket
from models.rules.tenants.token_bucket import Limit, TokenBucket

MOST_BUCKETS: Final = 20_000
"""The ones used last are kept; one that was forgotten is full again."""

_MOST_SETTLED: Final = 1000
"""Buckets in one statement."""

_BucketKey: TypeAlias = tuple[int, int]
"""Tenant and key; key 0 is the tenant's own bucket."""


class RequestLimits:
    """The buckets of one process, which decides by itself.

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
        """Let one request in, or raise RateLimited; either way say in the headers what is left.

        A request that costs more than is left is let in if there is anything left; the next ones
        wait until that is made up for.

        Returns what is to be called once when the request is over.
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
        """Take what a request that was let in costs beyond what it was let in for."""
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
        """Return what is to be settled with the other processes now."""
        now = self._clock()
        due = [(whose, bucket) for whose, bucket in self._used.items() if bucket.is_due(now)]
        return [
            Served(tenant_id=tenant, key_id=key, requests=bucket.unsettled)
            for (tenant, key), bucket in due[:_MOST_SETTLED]
        ]

    def settle(self, told: Sequence[Served], shared: Sequence[SharedBucket]) -> None:
        """Take over what is left for all."""
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
    """Say what a bucket allows and what is left of it.

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
