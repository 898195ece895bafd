"""The time of one turn: what is due by the workflow's clock, and until when attempts may begin."""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from temporalio import activity

from workflows.policies import WEBHOOK_ATTEMPT, WEBHOOK_TURN

_TO_CONCLUDE: Final = timedelta(seconds=5)
"""What is left of the activity's time after the longest attempt, to store its outcome."""

_EARLY: Final = timedelta(milliseconds=250)
"""So much earlier a delivery may be attempted: the clocks of Postgres and Temporal differ a bit."""


class TurnClock:
    """Continues the workflow's clock, so that tests can skip time.

    A retried or queued activity has waited since the workflow's time was taken; the server knows
    for how long.
    """

    def __init__(
        self, at: datetime, info: activity.Info, passed: Callable[[], float] = monotonic
    ) -> None:
        self._passed = passed
        self._began = passed()
        self._at = at + (info.started_time - info.scheduled_time)
        limit = info.start_to_close_timeout
        self._may_post_for = None if limit is None else limit - WEBHOOK_ATTEMPT - _TO_CONCLUDE

    @property
    def now(self) -> datetime:
        """The time, by the workflow's clock."""
        return self._at + self._elapsed

    @property
    def due_until(self) -> datetime:
        """A delivery that is due until then is attempted now."""
        return self.now + _EARLY

    @property
    def is_over(self) -> bool:
        """Whether the turn ends, so that no further round begins."""
        return self._elapsed >= WEBHOOK_TURN or activity.is_worker_shutdown()

    @property
    def may_post(self) -> bool:
        """Whether an attempt ends before Temporal lets another worker repeat the activity."""
        return self._may_post_for is None or self._elapsed < self._may_post_for

    @property
    def _elapsed(self) -> timedelta:
        return timedelta(seconds=self._passed() - self._began)
