"""How fast one key may ask: a token bucket in each process, and the headers that tell of it."""

from dataclasses import dataclass
from math import ceil, floor
from time import monotonic

from models.errors import RateLimited


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """One bucket per key: `rate` tokens a second flow in, at most `burst` wait in it."""

    def __init__(self, rate: int, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: dict[int, _Bucket] = {}

    def take(self, key_id: int, headers: dict[str, str]) -> None:
        """Take a token, or raise RateLimited; either way say in the headers what is left."""
        now = monotonic()
        bucket = self._buckets.setdefault(key_id, _Bucket(self._burst, now))
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        allowed = bucket.tokens >= 1
        if allowed:
            bucket.tokens -= 1
        headers.update(self._headers(bucket))
        if not allowed:
            raise RateLimited(retry_after=max(1, ceil((1 - bucket.tokens) / self._rate)))

    def _headers(self, bucket: _Bucket) -> dict[str, str]:
        # draft-ietf-httpapi-ratelimit-headers: q units in w seconds; r left, full again after t
        window = ceil(self._burst / self._rate)
        full_again = ceil((self._burst - bucket.tokens) / self._rate)
        return {
            "RateLimit-Policy": f'"key";q={self._burst};w={window}',
            "RateLimit": f'"key";r={floor(bucket.tokens)};t={full_again}',
        }
