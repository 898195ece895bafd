"""Token buckets that limit a caller's request rate, shared by processes. Pure.

A process decides by its own copy of a bucket, and settles about once a second with the shared copy:
it reports the requests it served and gets its share of the remaining tokens. The share follows
demand: its part of the requests that all processes served lately. Over longer times all processes
together serve the rate exactly; within one second they may exceed it, which later seconds
compensate.
"""

from dataclasses import dataclass, field
from math import ceil, exp, floor, inf
from typing import Final

SETTLED_EVERY: Final = 1.0
"""Seconds between two settlements of one bucket in use."""

MEMORY: Final = 2.0
"""Seconds in which demand decays to a third."""

_LEAST_SHARE: Final = 0.05
"""Least share of a process, for instance of one without requests so far."""

_NEARLY_ALL: Final = 0.9
"""Clocks of process and database differ slightly: this part of the demand counts as all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The rate limit of one kind of caller."""

    name: str
    rate: float
    """Tokens added per second."""
    burst: int
    """Capacity of the bucket; a new bucket is full."""
    at_once: int = 1_000_000
    """Concurrent requests in one process."""

    @property
    def window(self) -> int:
        """Seconds in which an empty bucket fills up."""
        return ceil(self.burst / self.rate)


@dataclass(slots=True)
class TokenBucket:
    """One caller's bucket in one process. Times are seconds of a monotonic clock."""

    limit: Limit
    tokens: float
    refilled_at: float
    under_way: int = 0
    unsettled: int = 0
    """Served requests that were not settled yet."""
    share: float = field(default=1.0)
    demand: float = 0.0
    settled_at: float = -inf

    def refill(self, now: float) -> None:
        """Add the tokens of the elapsed time."""
        most = max(1.0, self.limit.burst * self.share)
        flowed = (now - self.refilled_at) * self.limit.rate * self.share
        self.tokens = min(max(most, self.tokens), self.tokens + flowed)
        self.refilled_at = now

    def take(self, cost: int = 1) -> None:
        """Take tokens for a request; call `refill` first, and check that a token is left."""
        self.tokens -= cost
        self.unsettled += cost

    @property
    def left(self) -> int:
        """Whole requests that may be served now."""
        return max(0, floor(self.tokens))

    @property
    def next_after(self) -> int:
        """Whole seconds, at least one, until a token is available."""
        return max(1, ceil((1 - self.tokens) / (self.limit.rate * self.share)))

    @property
    def full_after(self) -> int:
        """Whole seconds until the bucket is full."""
        missing = self.limit.burst * self.share - self.tokens
        return max(0, ceil(missing / (self.limit.rate * self.share)))

    def is_due(self, now: float) -> bool:
        """Return whether the bucket has to be settled."""
        return self.unsettled > 0 and now - self.settled_at >= SETTLED_EVERY

    def settle(self, told: int, *, tokens: float, demand: float, now: float) -> None:
        """Adopt the shared state after this process reported its served requests.

        Args:
            told: the part of `unsettled` that was reported.
            tokens: tokens left for all processes.
            demand: recent requests of all processes.
            now: current time in seconds.
        """
        faded = exp(-min(now - self.settled_at, 60 * MEMORY) / MEMORY)
        self.demand = self.demand * faded + told
        part = self.demand / demand if demand > 0 else 1.0
        self.share = 1.0 if part >= _NEARLY_ALL else max(_LEAST_SHARE, part)
        self.unsettled = max(0, self.unsettled - told)
        self.tokens = tokens * self.share - self.unsettled
        self.refilled_at = self.settled_at = now
