"""Waiting a moment for the report of what a provider has just taken.

A workflow that goes to sleep until its report costs a timer, a signal and a second task. Where
reports come within a blink, all that is saved by not going to sleep: the step that handed the
message over looks for the report itself, with one query for all messages that wait.
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
"""Provider and channel: reports of calls come later than those of texts."""

_LOOK_EVERY: Final = 0.08
"""Seconds between two looks, whoever waits for how many."""

_WORTH_IT: Final = 0.3
"""Least share of reports that come in time; below it a route is only tried now and then."""

_MEMORY: Final = 0.9
"""How much of a route's share the last outcome leaves as it was."""

_TRY_EVERY: Final = 20
"""Messages of a slow route of which one is attended, to notice that it became fast."""


@dataclass(slots=True)
class _Promptness:
    """How often the reports of a route came in time, of late."""

    share: float = 1.0
    passed: int = 0

    def worth_it(self) -> bool:
        if self.share >= _WORTH_IT:
            return True
        self.passed = (self.passed + 1) % _TRY_EVERY
        return self.passed == 0

    def learn(self, *, prompt: bool) -> None:
        self.share = _MEMORY * self.share + (1 - _MEMORY) * prompt


@dataclass(slots=True)
class InlineReportWait:
    """Looks for reports in place of workflows that would otherwise sleep; zero patience: never.

    While an attempt is attended nobody signals its workflow; `attending.leave` takes that back in
    the transaction that looks for the last time, so no report falls between the two.
    """

    database: Database
    patience: timedelta
    _waiting: dict[AwaitedAttempt, asyncio.Event] = field(default_factory=dict)
    _promptness: dict[Route, _Promptness] = field(default_factory=dict)
    _looking: asyncio.Task[None] | None = None

    def patience_with(self, route: Route) -> timedelta | None:
        """Return how long to wait on a route; None where it is not worth it."""
        if not self.patience or not self._known(route).worth_it():
            return None
        return self.patience

    async def await_report(
        self, awaited_inline: AwaitedAttempt, route: Route, patience: timedelta
    ) -> bool:
        """Say whether the last word on the message is stored, waiting at most `patience`."""
        stored = self._waiting[awaited_inline] = asyncio.Event()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(patience.total_seconds()):
                await stored.wait()
            prompt = True
        except TimeoutError:
            prompt = False
        finally:
            del self._waiting[awaited_inline]
        self._known(route).learn(prompt=prompt)
        if prompt:
            return True
        async with self.database.transaction() as db:
            return await inline_report_wait.leave(db, awaited_inline)

    def _known(self, route: Route) -> _Promptness:
        return self._promptness.setdefault(route, _Promptness())

    async def _look(self) -> None:
        """Look again and again while anybody waits."""
        while self._waiting:
            await asyncio.sleep(_LOOK_EVERY)
            if not self._waiting:
                return
            try:
                async with self.database.read() as db:
                    reported = await inline_report_wait.reported(db, list(self._waiting))
            except SQLAlchemyError as error:
                # Who waits goes on by itself when its time is over.
                log.warning(
                    "reports could not be looked up", extra={"reason": type(error).__name__}
                )
                continue
            for awaited_inline in reported:
                if awaited_inline in self._waiting:
                    self._waiting[awaited_inline].set()
