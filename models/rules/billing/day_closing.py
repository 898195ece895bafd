"""When a UTC day may be closed. Pure."""

from datetime import date, datetime, timedelta
from typing import Final

from models.rules.billing.periods import day_of

RESTS: Final = timedelta(minutes=3)
"""A day stays open this long after midnight, so that transactions begun before it have committed
and clock skew between servers does not matter.
"""

AWAITED: Final = timedelta(days=7)
"""How long after its day a provider's own price is awaited; then the rate card's price is used."""


def last_over(now: datetime) -> date:
    """Return the latest day that may be closed."""
    return day_of(now - RESTS) - timedelta(days=1)
