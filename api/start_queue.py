"""Queues workflow starts of the API, which run beside the answers: by priority, few at a time.

A committed row is the promise that its workflow is started. So nothing waits for this queue, and
what it does not start is left to the sweeper: when it is full, while Temporal is away, and what has
waited until the sweeper looks for it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context, copy_context
from dataclasses import dataclass
from time import monotonic
from typing import Final, Generic, Protocol, TypeVar

from prometheus_client import Counter
from temporalio.service import RPCError

log = logging.getLogger(__name__)

STARTS: Final = Counter(
    "hexavox_starts",
    "Starts of sends and upgrades by the API: started; or left to the sweeper, because Temporal is "
    "away, the start failed, the queue is full, or it took too long",
    ["outcome"],
)

SLOTS: Final = 16
"""Concurrent starts."""

SLOTS_FOR_OTP: Final = 4
"""Slots reserved for OTPs."""

SLOTS_OF_TENANT: Final = 8
"""Maximum slots of one tenant, so that its slow starts do not delay other tenants."""

BULK_OF_TENANT: Final = 6
"""Maximum slots of one tenant for sends other than OTPs, so that they do not delay its own OTPs."""

MOST_PENDING: Final = 500
"""Starts that wait for a slot. Each takes about 1 kB."""

OTP: Final = 1
"""Priority of OTPs; a higher number is less urgent."""

_LONGEST_CALL: Final = 3.0
"""Timeout of a start in seconds; with `rpc_timeout` alone an unreachable server takes nine."""

_DRAIN: Final = 2.0
"""Seconds that closing waits for starts. Later the sweeper has them anyway."""

Failure = (TimeoutError, RPCError, RuntimeError)
"""Exceptions of the Temporal client if the server cannot be reached."""


class Reachability:
    """Circuit breaker for Temporal. While it is open, one request probes twice a second.

    It opens after three failures in a row with no response for a second: one slow call is not an
    outage.
    """

    _FAILURES = 3
    _SILENCE = 1.0
    _PROBE_EVERY = 0.5

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._answered_at = clock()
        self._probed_at = clock()

    def may_ask(self) -> bool:
        """Return whether to call Temporal; when it is unreachable, true once per probe interval."""
        now = self._clock()
        if self._failures < self._FAILURES or now - self._answered_at < self._SILENCE:
            return True
        if now - self._probed_at < self._PROBE_EVERY:
            return False
        self._probed_at = now
        return True

    def answered(self) -> None:
        """Record a successful call."""
        self._failures = 0
        self._answered_at = self._clock()

    def failed(self) -> None:
        """Record a failed or timed-out call."""
        self._failures += 1
        self._probed_at = self._clock()


class Startable(Hashable, Protocol):
    """What a workflow is started with; equal values are one start."""

    @property
    def tenant_id(self) -> int:
        """Row id of the tenant."""
        ...


Start = TypeVar("Start", bound=Startable)


@dataclass(slots=True, eq=False)
class _Pending(Generic[Start]):
    start: Start
    priority: int
    added_at: float
    context: Context
    """Of the request, for log lines."""


class StartQueue(Generic[Start]):
    """Queue of starts that wait for a slot: by priority, then round-robin over tenants."""

    def __init__(
        self,
        start: Callable[[Start], Awaitable[object]],
        reachability: Reachability,
        *,
        priority: Callable[[Start], int],
        start_within: float,
        on_started: Callable[[Start], None] = lambda _: None,
        longest_call: float = _LONGEST_CALL,
        drain: float = _DRAIN,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Make an empty queue.

        Args:
            start: starts a workflow; idempotent.
            reachability: whether Temporal is asked.
            priority: 1 for what is most urgent.
            start_within: seconds from the acceptance until the sweeper starts it. What has not
                begun by then is left to it.
            on_started: told of each workflow that was started.
            longest_call: timeout of one start in seconds.
            drain: seconds that closing waits for starts.
            clock: of `start_within`, in seconds.
        """
        self._start = start
        self._reachability = reachability
        self._priority = priority
        self._start_within = start_within
        self._on_started = on_started
        self._longest_call = longest_call
        self._drain = drain
        self._clock = clock
        self._pending: dict[int, dict[int, deque[_Pending[Start]]]] = {}
        self._count = 0
        self._known: set[Start] = set()
        self._under_way: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting = self._beginning = True

    def start(self, wanted: Start) -> None:
        """Start a workflow soon, or leave it to the sweeper; returns at once and never raises.

        One that is pending or being started already is not started twice.
        """
        if wanted in self._known:
            return
        priority = self._priority(wanted)
        if not self._accepting:
            STARTS.labels("late").inc()
            return
        if self._count >= MOST_PENDING and not self._make_room(priority, wanted.tenant_id):
            STARTS.labels("full").inc()
            return
        self._add(_Pending(wanted, priority, self._clock(), copy_context()))
        self._begin_what_may()

    async def close(self) -> None:
        """Start what is pending, for a bounded time, and leave the rest to the sweeper."""
        self._accepting = False
        until = monotonic() + self._drain
        while self._tasks and (left := until - monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        self._beginning = False  # a cancelled start frees its slot, which must not be reused
        STARTS.labels("late").inc(self._count)
        self._pending.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _add(self, entry: _Pending[Start]) -> None:
        tenants = self._pending.setdefault(entry.priority, {})
        tenants.setdefault(entry.start.tenant_id, deque()).append(entry)
        self._count += 1
        self._known.add(entry.start)

    def _make_room(self, priority: int, tenant: int) -> bool:
        """Drop the newest start of the least urgent, if it may give way; return whether it did.

        It gives way to what is more urgent, and to the equally urgent of a tenant with fewer starts
        pending. The sweeper starts what is dropped.
        """
        lowest = max(self._pending)
        if lowest < priority:
            return False
        tenants = self._pending[lowest]
        most, crowd = max(tenants.items(), key=lambda each: len(each[1]))
        if lowest == priority and len(crowd) <= len(tenants.get(tenant, ())) + 1:
            return False
        dropped = crowd.pop()
        if not crowd:
            self._forget_tenant(lowest, most)
        self._count -= 1
        self._leave(dropped, "full")
        return True

    def _forget_tenant(self, priority: int, tenant: int) -> None:
        del self._pending[priority][tenant]
        if not self._pending[priority]:
            del self._pending[priority]

    def _leave(self, entry: _Pending[Start], reason: str) -> None:
        """Leave a start to the sweeper."""
        self._known.discard(entry.start)
        STARTS.labels(reason).inc()

    def _begin_what_may(self) -> None:
        while self._beginning and (entry := self._next()) is not None:
            if self._clock() - entry.added_at >= self._start_within:
                self._leave(entry, "late")
            elif not self._reachability.may_ask():
                self._leave(entry, "away")
            else:
                self._begin(entry)

    def _begin(self, entry: _Pending[Start]) -> None:
        tenant = entry.start.tenant_id
        self._under_way[tenant] = self._under_way.get(tenant, 0) + 1
        task = asyncio.create_task(self._run_one(entry.start), context=entry.context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _next(self) -> _Pending[Start] | None:
        """Remove and return the next entry for which a slot is free."""
        free = SLOTS - sum(self._under_way.values())
        for priority in sorted(self._pending):
            kept, most = (
                (0, SLOTS_OF_TENANT) if priority == OTP else (SLOTS_FOR_OTP, BULK_OF_TENANT)
            )
            if free <= kept:
                return None
            tenants = self._pending[priority]
            for tenant, waiting in tenants.items():
                if self._under_way.get(tenant, 0) >= most:
                    continue
                entry = waiting.popleft()
                self._count -= 1
                self._forget_tenant(priority, tenant)
                if waiting:  # reinserted last: round-robin over tenants
                    self._pending.setdefault(priority, {})[tenant] = waiting
                return entry
        return None

    async def _run_one(self, start: Start) -> None:
        outcome = "failed"
        try:
            async with asyncio.timeout(self._longest_call):
                await self._start(start)
        except Failure as error:
            self._reachability.failed()
            log.warning("Temporal is unreachable", extra={"reason": type(error).__name__})
        else:
            outcome = "started"
            self._reachability.answered()
            self._on_started(start)
        finally:
            STARTS.labels(outcome).inc()
            self._known.discard(start)
            self._free(start.tenant_id)

    def _free(self, tenant: int) -> None:
        self._under_way[tenant] -= 1
        if not self._under_way[tenant]:
            del self._under_way[tenant]
        self._begin_what_may()
