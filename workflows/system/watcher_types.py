"""State that the watcher passes from turn to turn."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStep:
    """Key of the last merchant of the previous turn, by row ids; zeros start from the beginning."""

    after_tenant: int = 0
    after_merchant: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResult:
    """Number of alerts that one turn raised or resolved, where the next one begins, and when."""

    moved: int
    following: WatchStep
    next_in: timedelta
