"""Waits inline for the report of a message that a provider has just accepted.

A workflow that waits for a report needs a timer, a signal and a second workflow task. Where reports
arrive within a fraction of a second, the dispatch activity polls for the report itself, with one
query for all waiting messages.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias

from sqlalchemy.exc import SQLAlchemyError

from models.enums import Channel
from models.queries.messages import inline_report_wait
from models.queries.messages.inline_report_wait import AwaitedAttempt
from models.session import Database

log = logging.getLogger(__name__)

Route: TypeAlias = tuple[str, Channel]
"""Account and channel: reports of calls arrive later than those of texts."""

_POLL_SECONDS: Final = 0.08
"""Seconds between two polls, for all waiting messages together."""

_LEAST_SHARE: Final = 0.3
"""Least share of reports that arrive in time; below it a route is only sampled."""

_SMOOTHING: Final = 0.9
"""Weight of the past in the moving average of a route's share."""

_SAMPLE_EVERY: Final = 20
"""One of this many messages of a slow route is waited for, to notice when it gets fast."""


@dataclass(slots=True)
class _ReportSpeed:
    """Moving average of the share of a route's reports that arrived in time."""

    share: float = 1.0
    passed: int = 0

    def is_fast(self) -> bool:
        if self.share >= _LEAST_SHARE:
            return True
        self.passed = (self.passed + 1) % _SAMPLE_EVERY
        return self.passed == 0

    def record(self, *, in_time: bool) -> None:
        self.share = _SMOOTHING * self.share + (1 - _SMOOTHING) * in_time


@dataclass(slots=True)
class InlineReportWait:
    """Polls for reports on behalf of workflows that would otherwise wait; zero timeout disables it.

    While an attempt is awaited inline, a report does not signal its workflow;
    `inline_report_wait.leave` ends that in the transaction of the last poll, so no report is lost.
    """

    database: Database
    timeout: timedelta
    _waiting: dict[AwaitedAttempt, asyncio.Event] = field(default_factory=dict)
    _speeds: dict[Route, _ReportSpeed] = field(default_factory=dict)
    _polling: asyncio.Task[None] | None = None

    def timeout_for(self, route: Route) -> timedelta | None:
        """Return how long to wait for a report on a route; None where reports are too slow."""
        if not self.timeout or not self._speed(route).is_fast():
            return None
        return self.timeout

    async def await_report(
        self, awaited_inline: AwaitedAttempt, route: Route, timeout: timedelta
    ) -> bool:
        """Return whether a final report is stored; waits at most `timeout`."""
        stored = self._waiting[awaited_inline] = asyncio.Event()
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await stored.wait()
            in_time = True
        except TimeoutError:
            in_time = False
        finally:
            del self._waiting[awaited_inline]
        self._speed(route).record(in_time=in_time)
        if in_time:
            return True
        async with self.database.transaction() as db:
            return await inline_report_wait.leave(db, awaited_inline)

    def _speed(self, route: Route) -> _ReportSpeed:
        return self._speeds.setdefault(route, _ReportSpeed())

    async def _poll(self) -> None:
        """Poll while any message waits."""
        while self._waiting:
            await asyncio.sleep(_POLL_SECONDS)
            if not self._waiting:
                return
            try:
                async with self.database.read() as db:
                    reported = await inline_report_wait.reported(db, list(self._waiting))
            except SQLAlchemyError as error:
                # Each wait ends by its own timeout.
                log.warning(
                    "reports could not be looked up", extra={"reason": type(error).__name__}
                )
                continue
            for awaited_inline in reported:
                if awaited_inline in self._waiting:
                    self._waiting[awaited_inline].set()
