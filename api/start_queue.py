"""The API's starts of workflows: in order of urgency, few at a time, none waited for long."""

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
"""Starts under way at once."""

SLOTS_FOR_OTP: Final = 4
"""Of these, kept for OTPs."""

SLOTS_OF_TENANT: Final = 8
"""At most, so that one tenant's slow starts hold up nobody else's."""

BULK_OF_TENANT: Final = 6
"""At most of it for what is no OTP, so that it does not hold up the tenant's own OTPs."""

MOST_PENDING: Final = 500

_PATIENCE: Final = 1.0
"""Seconds a request waits for its start."""

_LONGEST_CALL: Final = 3.0
"""Seconds a start may take after all; `rpc_timeout` alone lets a dead server take nine."""

_OTP: Final = 1

Failure = (TimeoutError, RPCError, RuntimeError)
"""What the client raises if the server cannot be reached."""


class Reachability:
    """Whether Temporal answers. While it does not, it is asked twice a second, by one request.

    It is away after three failures in a row with no answer for a second: one slow call is no
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
        """Tell whether to ask now; while Temporal is away, one caller at a time is told so."""
        now = self._clock()
        if self._failures < self._FAILURES or now - self._answered_at < self._SILENCE:
            return True
        if now - self._probed_at < self._PROBE_EVERY:
            return False
        self._probed_at = now
        return True

    def answered(self) -> None:
        """Note that it answered."""
        self._failures = 0
        self._answered_at = self._clock()

    def failed(self) -> None:
        """Note that it did not, or not in time."""
        self._failures += 1
        self._probed_at = self._clock()


@dataclass(slots=True, eq=False)
class _Pending:
    send: SendStart
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    begun: bool = False
    given_up: bool = False


class StartQueue:
    """Starts that wait for a slot: the most urgent first, of equals one of each tenant in turn."""

    def __init__(
        self,
        start: Callable[[SendStart], Awaitable[object]],
        reachability: Reachability,
        *,
        on_started: Callable[[SendStart], None] = lambda _: None,
        patience: float = _PATIENCE,
    ) -> None:
        self._start = start
        self._reachability = reachability
        self._on_started = on_started
        self._patience = patience
        self._pending: dict[int, dict[int, deque[_Pending]]] = {}
        self._count = 0
        self._under_way: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self, send: SendStart) -> None:
        """Start a send, or leave it to the sweeper; it never raises.

        It returns within the patience. A start that is under way by then goes on.
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
        """Let go of what is under way, and leave what waits to the sweeper."""
        self._closed = True  # a cancelled start gives its slot back, which nobody is to take
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
        """Take an entry out that nobody waits for any more, unless it has begun."""
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
        """Leave the newest of the least urgent to the sweeper, if it is less urgent than this."""
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
        """Take the next one for which there is a slot out of the queue."""
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
                if waiting:  # its turn comes again after the others'
                    tenants[tenant] = waiting
                return entry
        return None

    async def _run_one(self, entry: _Pending) -> None:
        outcome = "failed"
        try:
            await asyncio.wait_for(self._start(entry.send), _LONGEST_CALL)
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
