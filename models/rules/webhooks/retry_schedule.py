"""When a delivery is tried again, and how fast an endpoint is sent to. Pure."""

from datetime import timedelta
from typing import Final

GAPS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
"""After each failed attempt but the last."""

MOST_ATTEMPTS: Final = len(GAPS) + 1
JITTER: Final = 0.2
"""A gap is longer or shorter by up to this share."""

DISABLED_AFTER: Final = timedelta(days=5)
"""An endpoint without a success for so long is disabled at its next failed attempt."""

ALERTED_AFTER_ATTEMPTS: Final = 3
ALERTED_AFTER: Final = timedelta(minutes=5)
"""If many deliveries fail, none of them reaches the third attempt soon."""

MOST_CONCURRENT: Final = 8
"""A tenant has 100 connections of a worker: 12 endpoints that begin to hang can't use them up."""

_PAUSED_AFTER: Final = 3
"""Failed attempts in a row after which an endpoint is tried only now and then."""
_SHORTEST_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(seconds=30)


def next_gap(attempts: int, random: float, retry_after: timedelta | None) -> timedelta | None:
    """Return the wait after a failed attempt; None if it was the last one.

    Args:
        attempts: attempts that were made, this one included.
        random: from 0 to 1, for the jitter.
        retry_after: what the answer asks for. It lengthens the gap, up to the longest gap.
    """
    if attempts >= MOST_ATTEMPTS:
        return None
    gap = GAPS[attempts - 1] * (1 + JITTER * (2 * random - 1))
    return gap if retry_after is None else max(gap, min(retry_after, GAPS[-1]))


def pause_between_attempts(failures: int, failing_for: timedelta) -> timedelta | None:
    """Return the wait before the next attempt at a failing endpoint; None if there is none.

    It grows with the time the endpoint has failed, so that many due deliveries of an endpoint that
    does not work cost little.
    """
    if failures < _PAUSED_AFTER:
        return None
    return min(max(failing_for / 4, _SHORTEST_PAUSE), _LONGEST_PAUSE)


def next_concurrency(current: int, *, failed: bool) -> int:
    """Return how many deliveries may be in flight at once after a round."""
    return 1 if failed else min(2 * current, MOST_CONCURRENT)


def calls_for_alert(attempts: int, failures: int, failing_for: timedelta) -> bool:
    """Return whether a failed attempt raises an alert.

    Args:
        attempts: attempts of the delivery.
        failures: failed attempts of the endpoint since its last success.
        failing_for: time since the first of them.
    """
    several = failures >= ALERTED_AFTER_ATTEMPTS
    return attempts >= ALERTED_AFTER_ATTEMPTS or (several and failing_for >= ALERTED_AFTER)
