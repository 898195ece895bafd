"""When a UTC day may be closed. Pure."""

from datetime import date, datetime, timedelta
from typing import Final

from models.rules.billing.periods import day_of

RESTS: Final = timedelta(minutes=3)
"""A day rests so long after midnight before it is closed: what was begun just before is committed
by then, and clocks that differ agree on the day."""

AWAITED: Final = timedelta(days=7)
"""A provider's own price is awaited so long after its day; then the rate card's holds."""


def last_over(now: datetime) -> date:
    """Return the latest day that may be closed."""
    return day_of(now - RESTS) - timedelta(days=1)
