"""Whether a send is taken now: judged by the load that all processes sample together."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Final

from prometheus_client import Gauge

from models.enums import MessageType
from models.errors import TooManyOpen
from models.queries.system import load
from models.queries.system.load import Sample
from models.rules.messages.admission import (
    LAG_ALLOWED,
    PRIORITIES,
    Load,
    Refusal,
    Threshold,
    refuse_for_lag,
    refuse_for_limit,
    thresholds,
)
from models.session import Database

log = logging.getLogger(__name__)

LAG: Final = Gauge(
    "hexavox_dispatch_lag_seconds",
    "Age of the oldest message that is due and not dispatched, at least so urgent (1 is OTP)",
    ["priority"],
)

_EVERY: Final = 1.0
"""Seconds between two looks at the sample, and between two samples."""

_STALE: Final = 10.0
"""Seconds. An older sample tells nothing: nobody is refused for it."""

_MOST_SECONDS: Final = 600
"""So many seconds of accepted sends are remembered at most."""


@dataclass(slots=True)
class _Second:
    """What this process accepted between two looks."""

    ended_at: float = 0
    accepted: Counter[int] = field(default_factory=Counter)


class Admission:
    """Refuses sends of tenants with many messages while messages wait too long, and at a limit.

    It asks the database once a second, never for a request. The number of a tenant's open messages
    is the last count, what this process has accepted since, and what it is about to write. So with
    one API process the limit is kept exactly; with several it may be passed by what the others
    accept between two counts, which are 10 seconds apart, or 20 times as long as counting takes.
    """

    def __init__(
        self,
        database: Database,
        *,
        limit: int,
        lag_allowed: timedelta = timedelta(seconds=LAG_ALLOWED),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._limit = limit
        self._lag_allowed = lag_allowed.total_seconds()
        self._clock = clock
        self._load = Load()
        self._in_force: tuple[Threshold, ...] = ()
        self._holds_until = 0.0
        self._counted: Counter[int] = Counter()
        self._seconds: deque[_Second] = deque(maxlen=_MOST_SECONDS)
        self._current = _Second()
        self._reserved: Counter[int] = Counter()

    @contextmanager
    def reserve(self, tenant_id: int, type: MessageType) -> Iterator[None]:
        """Count a send while it is written; it stays counted if the block ends without an error.

        Raises:
            TooManyOpen: one more send of this type is not taken now.
        """
        self.check(tenant_id, type)
        self._reserved[tenant_id] += 1
        try:
            yield
            self.note(tenant_id)
        finally:
            self._reserved[tenant_id] -= 1
            if not self._reserved[tenant_id]:
                del self._reserved[tenant_id]

    def check(self, tenant_id: int, type: MessageType) -> None:
        """Raise TooManyOpen if one more send of this type is not taken now."""
        refusal = self._refusal(tenant_id, type)
        if refusal is not None:
            raise TooManyOpen(refusal.detail, refusal.retry_after)

    def _refusal(self, tenant_id: int, type: MessageType) -> Refusal | None:
        open_messages = (
            self._counted[tenant_id] + self._current.accepted[tenant_id] + self._reserved[tenant_id]
        )
        refusal = refuse_for_limit(open_messages, self._limit)
        if refusal is not None or not self._in_force or self._clock() > self._holds_until:
            return refusal
        waiting = {
            priority: sampled.tenants.get(tenant_id, 0)
            for priority, sampled in self._load.waiting.items()
        }
        return refuse_for_lag(self._in_force, waiting, type)

    def note(self, tenant_id: int) -> None:
        """Count a send that was accepted just now."""
        self._current.accepted[tenant_id] += 1

    async def run(self) -> None:
        """Look and count again and again; what goes wrong refuses nobody."""
        await asyncio.gather(self._repeat(self.look), self._repeat(self.count))

    async def _repeat(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
            except Exception as error:
                log.warning(
                    "the load sample is not available", extra={"reason": type(error).__name__}
                )
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Read the latest sample, and take one first if it is time and nobody else does."""
        sample = await self._read()
        if sample.age >= _EVERY:
            async with self._database.transaction() as db:
                # A little early, so that a late look of one process does not cost a second.
                taken = await load.take_sample(db, every=timedelta(seconds=_EVERY * 0.9))
            if taken:
                sample = await self._read()
        self._load = sample.load
        self._in_force = thresholds(sample.load, self._lag_allowed)
        self._holds_until = self._clock() + _STALE - sample.age
        self._remember(sample)
        for priority in PRIORITIES:
            LAG.labels(str(priority)).set(self._load.oldest(priority))

    async def count(self) -> None:
        """Count open messages if it is time and nobody else does."""
        async with self._database.transaction() as db:
            now = await load.lease_count(db)
        if now is not None:
            async with self._database.transaction() as db:
                await load.count_open(db, now=now, limit=self._limit)

    async def _read(self) -> Sample:
        async with self._database.read() as db:
            return await load.read(db)

    def _remember(self, sample: Sample) -> None:
        """Begin a new second, and forget what was accepted before the count was taken."""
        now = self._clock()
        self._current.ended_at = now
        self._seconds.append(self._current)
        self._current = _Second()
        counted_at = now - sample.counted_age
        while self._seconds and self._seconds[0].ended_at <= counted_at:
            self._seconds.popleft()
        self._counted = Counter(sample.open)
        for second in self._seconds:
            self._counted.update(second.accepted)
