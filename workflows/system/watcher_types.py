"""What the watcher takes along from turn to turn."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStep:
    """After which merchant, by row ids, the next turn goes on; zeros are the beginning."""

    after_tenant: int = 0
    after_merchant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResult:
    """How many warnings one turn raised or resolved, where the next begins, and when."""

    moved: int
    following: WatchStep
    next_in: timedelta
