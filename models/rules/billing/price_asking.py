"""When a provider is asked for the price of a message that it has not reported. Pure."""

from datetime import timedelta
from typing import Final

FIRST_PRICE_GAP: Final = timedelta(minutes=1)
_LONGEST_PRICE_GAP: Final = timedelta(days=1)


def next_price_gap(age: timedelta) -> timedelta:
    """Return how long to wait before the next question about a record of this age.

    The gaps double from a minute to a day: a dozen questions on the first day, then one a day,
    until the rate card's price is accepted (`day_closing.AWAITED`).
    """
    return min(max(age, FIRST_PRICE_GAP), _LONGEST_PRICE_GAP)
