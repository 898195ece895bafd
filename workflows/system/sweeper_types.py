"""Result of the sweeper's step: counts and times only."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """Result of one turn of the sweeper, and the wait before the next one."""

    started: int
    applied: int
    next_in: timedelta
