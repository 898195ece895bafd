"""Token buckets: how many requests a second one caller has, alone and shared by processes. Pure.

A process decides from its own copy of a bucket and settles about once a second with the copy that
all share: it tells what it has served and gets its part of what is left. Its part follows demand:
what it has served lately, of what all have. Over any longer time all processes together serve the
rate exactly; within one second they may serve more, which later seconds make up for.
"""

from dataclasses import dataclass, field
from math import ceil, exp, floor, inf
from typing import Final

SETTLED_EVERY: Final = 1.0
"""Seconds between two settlements of one bucket in use."""

MEMORY: Final = 2.0
"""Seconds in which demand fades to a third."""

_LEAST_SHARE: Final = 0.05
"""Of a process that has just begun to be asked."""

_NEARLY_ALL: Final = 0.9
"""The clocks of process and database differ a little: this much of the demand counts as all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much one kind of caller may ask."""

    name: str
    rate: float
    """Requests a second that flow in."""
    burst: int
    """Requests that may be saved up; what a new bucket holds."""
    at_once: int = 1_000_000
    """Requests under way in one process."""

    @property
    def window(self) -> int:
        """Seconds in which an empty bucket fills up."""
        return ceil(self.burst / self.rate)


@dataclass(slots=True)
class TokenBucket:
    """One caller's bucket, as one process sees it. Times are seconds of a monotonic clock."""

    limit: Limit
    tokens: float
    refilled_at: float
    under_way: int = 0
    unsettled: int = 0
    """Served and not yet told to the others."""
    share: float = field(default=1.0)
    demand: float = 0.0
    settled_at: float = -inf

    def refill(self, now: float) -> None:
        """Add what has flowed in."""
        most = max(1.0, self.limit.burst * self.share)
        flowed = (now - self.refilled_at) * self.limit.rate * self.share
        self.tokens = min(max(most, self.tokens), self.tokens + flowed)
        self.refilled_at = now

    def take(self, cost: int = 1) -> None:
        """Serve one request; it is to be refilled before, and to have a token left."""
        self.tokens -= cost
        self.unsettled += cost

    @property
    def left(self) -> int:
        """Whole requests that may be served now."""
        return max(0, floor(self.tokens))

    @property
    def next_after(self) -> int:
        """Whole seconds, at least one, until there is a token."""
        return max(1, ceil((1 - self.tokens) / (self.limit.rate * self.share)))

    @property
    def full_after(self) -> int:
        """Whole seconds until the bucket is full."""
        missing = self.limit.burst * self.share - self.tokens
        return max(0, ceil(missing / (self.limit.rate * self.share)))

    def is_due(self, now: float) -> bool:
        """Tell whether it is time to settle."""
        return self.unsettled > 0 and now - self.settled_at >= SETTLED_EVERY

    def settle(self, told: int, *, tokens: float, demand: float, now: float) -> None:
        """Take over what all processes have left after this one told what it served.

        Args:
            told: of `unsettled`, what the others know of now.
            tokens: what is left for all.
            demand: what all have served lately.
            now: the time.
        """
        faded = exp(-min(now - self.settled_at, 60 * MEMORY) / MEMORY)
        self.demand = self.demand * faded + told
        part = self.demand / demand if demand > 0 else 1.0
        self.share = 1.0 if part >= _NEARLY_ALL else max(_LEAST_SHARE, part)
        self.unsettled = max(0, self.unsettled - told)
        self.tokens = tokens * self.share - self.unsettled
        self.refilled_at = self.settled_at = now
