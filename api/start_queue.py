"""Queues workflow starts of the API by priority, with few at a time and a bounded wait."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from prometheus_client import Counter
from temporalio.service import RPCError

from models.rules.messages.identity import SendStart
from models.rules.messages.priorities import priority_of

log = logging.getLogger(__name__)

STARTS: Final = Counter(
    "hexavox_starts",
    "Starts of sends by the API: started; or left to the sweeper, because Temporal is away, the "
    "queue is full, or it took too long",
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

_PATIENCE: Final = 1.0
"""Seconds a request waits for its start."""

_LONGEST_CALL: Final = 3.0
"""Timeout of a start in seconds; with `rpc_timeout` alone an unreachable server takes nine."""

_OTP: Final = 1

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


@dataclass(slots=True, eq=False)
class _Pending:
    send: SendStart
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    begun: bool = False
    given_up: bool = False


class StartQueue:
    """Queue of starts that wait for a slot: by priority, then round-robin over tenants."""

    def __init__(
        self,
        start: Callable[[SendStart], Awaitable[object]],
        reachability: Reachability,
        *,
        on_started: Callable[[SendStart], None] = lambda _: None,
        patience: float = _PATIENCE,
        longest_call: float = _LONGEST_CALL,
    ) -> None:
        self._start = start
        self._reachability = reachability
        self._on_started = on_started
        self._patience = patience
        self._longest_call = longest_call
        self._pending: dict[int, dict[int, deque[_Pending]]] = {}
        self._count = 0
        self._under_way: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self, send: SendStart) -> None:
        """Start a send, or leave it to the sweeper; never raises.

        It returns after `patience` seconds at the latest. A start that is still running then
        continues.
        """
        if self._closed or not self._reachability.may_ask():
            STARTS.labels("away").inc()
            return
        if self._count >= MOST_PENDING and not self._displace(priority_of(send.type)):
            STARTS.labels("full").inc()
            return
        entry = _Pending(send)
        self._add(entry)
        self._begin_what_may()
        try:
            await asyncio.wait_for(entry.ended.wait(), self._patience)
        except TimeoutError:
            if entry.begun:
                self._reachability.failed()
        finally:
            self._give_up(entry)

    async def close(self) -> None:
        """Cancel running starts and leave queued ones to the sweeper."""
        self._closed = True  # a cancelled start frees its slot, which must not be reused
        for tenants in self._pending.values():
            for waiting in tenants.values():
                for entry in waiting:
                    entry.ended.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _add(self, entry: _Pending) -> None:
        tenants = self._pending.setdefault(priority_of(entry.send.type), {})
        tenants.setdefault(entry.send.tenant_id, deque()).append(entry)
        self._count += 1

    def _give_up(self, entry: _Pending) -> None:
        """Remove an entry whose caller has stopped waiting, unless it has begun."""
        if entry.begun or entry.given_up:
            return
        self._remove(entry)
        STARTS.labels("late").inc()

    def _remove(self, entry: _Pending) -> None:
        entry.given_up = True
        tenants = self._pending[priority_of(entry.send.type)]
        waiting = tenants[entry.send.tenant_id]
        waiting.remove(entry)
        self._count -= 1
        if not waiting:
            del tenants[entry.send.tenant_id]

    def _displace(self, priority: int) -> bool:
        """Drop the newest entry of the lowest priority if that is lower than `priority`.

        The sweeper starts the dropped send. Returns whether an entry was dropped.
        """
        lowest = max((p for p, tenants in self._pending.items() if tenants), default=priority)
        if lowest <= priority:
            return False
        crowd = max(self._pending[lowest].values(), key=len)
        entry = crowd[-1]
        self._remove(entry)
        entry.ended.set()
        STARTS.labels("full").inc()
        return True

    def _begin_what_may(self) -> None:
        while not self._closed and (entry := self._next()) is not None:
            entry.begun = True
            tenant = entry.send.tenant_id
            self._under_way[tenant] = self._under_way.get(tenant, 0) + 1
            task = asyncio.create_task(self._run_one(entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next(self) -> _Pending | None:
        """Remove and return the next entry for which a slot is free."""
        free = SLOTS - sum(self._under_way.values())
        for priority in sorted(self._pending):
            kept, most = (
                (0, SLOTS_OF_TENANT) if priority == _OTP else (SLOTS_FOR_OTP, BULK_OF_TENANT)
            )
            if free <= kept:
                return None
            tenants = self._pending[priority]
            for tenant, waiting in tenants.items():
                if self._under_way.get(tenant, 0) >= most:
                    continue
                entry = waiting.popleft()
                self._count -= 1
                del tenants[tenant]
                if waiting:  # reinserted last: round-robin over tenants
                    tenants[tenant] = waiting
                return entry
        return None

    async def _run_one(self, entry: _Pending) -> None:
        outcome = "failed"
        try:
            await asyncio.wait_for(self._start(entry.send), self._longest_call)
        except Failure as error:
            self._reachability.failed()
            log.warning("Temporal is unreachable", extra={"reason": type(error).__name__})
        else:
            outcome = "started"
            self._reachability.answered()
            self._on_started(entry.send)
        finally:
            STARTS.labels(outcome).inc()
            entry.ended.set()
            self._free(entry.send.tenant_id)

    def _free(self, tenant: int) -> None:
        self._under_way[tenant] -= 1
        if not self._under_way[tenant]:
            del self._under_way[tenant]
        self._begin_what_may()
