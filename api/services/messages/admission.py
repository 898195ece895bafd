"""Load shedding: decides from a load sample shared by all processes whether a send is accepted."""

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
"""Seconds between two reads of the sample, and between two samples."""

_STALE: Final = 10.0
"""Seconds. An older sample refuses no send."""

_MOST_SECONDS: Final = 600
"""Maximum seconds of accepted sends that are kept."""


@dataclass(slots=True)
class _Second:
    """Sends that this process accepted between two reads, by tenant."""

    ended_at: float = 0
    accepted: Counter[int] = field(default_factory=Counter)


class Admission:
    """Refuses sends of tenants with too many open messages, or with many waiting under overload.

    It queries the database once a second, not per request. The number of a tenant's open messages
    is the last count, plus what this process has accepted since, plus what it is about to write.
    One API process keeps the limit exactly. Several may exceed it by what the others accept between
    two counts, which are 10 seconds apart, or 20 times the duration of a count.
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
            TooManyOpen: one more send of this type is not accepted now.
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
        """Raise TooManyOpen if one more send of this type is not accepted now."""
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
        """Count an accepted send."""
        self._current.accepted[tenant_id] += 1

    async def run(self) -> None:
        """Read and count in a loop; failures are logged and refuse no send."""
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
        """Read the latest sample; take a new one first if it is due and no other process does."""
        sample = await self._read()
        if sample.age >= _EVERY:
            async with self._database.transaction() as db:
                # Slightly less than the interval, so that one late process does not skip a sample.
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
        """Count open messages if it is due and no other process does."""
        async with self._database.transaction() as db:
            now = await load.lease_count(db)
        if now is not None:
            async with self._database.transaction() as db:
                await load.count_open(db, now=now, limit=self._limit)

    async def _read(self) -> Sample:
        async with self._database.read() as db:
            return await load.read(db)

    def _remember(self, sample: Sample) -> None:
        """Apply a sample: keep only the accepted sends that are newer than its count."""
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
