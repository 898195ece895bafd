"""Result of the sweeper's step: counts and times only."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What one turn of the sweeper did, and when the next is due."""

    started: int
    applied: int
    next_in: timedelta
