"""Marks messages whose workflow is started but has not dispatched yet, for the sweeper."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from models.queries.system import sweep_messages
from models.rules.messages.identity import SendStart
from models.session import Database

log = logging.getLogger(__name__)

_EVERY: Final = 0.5
_DISPATCHED_WITHIN: Final = 0.7
"""Seconds. Most messages have an attempt within this time and are not marked."""

_MOST: Final = 10_000
"""Maximum starts kept; the sweeper checks the others needlessly."""


@dataclass(frozen=True, slots=True)
class _Started:
    tenant_id: int
    message_id: int
    at: float


class StartedMessages:
    """Postpones the sweep of messages whose workflow is started and has no attempt yet.

    The sweeper skips them for the grace period, as if they were claimed.
    """

    def __init__(
        self, database: Database, grace: timedelta, clock: Callable[[], float] = monotonic
    ) -> None:
        self._database = database
        self._grace = grace
        self._clock = clock
        self._started: deque[_Started] = deque(maxlen=_MOST)

    def note(self, send: SendStart) -> None:
        """Record that a message's workflow was started."""
        self._started.append(_Started(send.tenant_id, send.message_id, self._clock()))

    async def run(self) -> None:
        """Write the recorded starts in a loop."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.write_down()
            except Exception as error:
                log.warning(
                    "workflow starts could not be stored", extra={"reason": type(error).__name__}
                )

    async def write_down(self) -> None:
        """Postpone the sweep of messages that were started a while ago and have no attempt yet."""
        before = self._clock() - _DISPATCHED_WITHIN
        ids = []
        while self._started and self._started[0].at <= before:
            started = self._started.popleft()
            ids.append((started.tenant_id, started.message_id))
        if ids:
            async with self._database.statement() as db:
                await sweep_messages.reschedule(
                    db, ids, datetime.now(UTC) + self._grace, later=True
                )
