"""Limits how many transactions of one merchant, and of one tenant, run at once in this process.

A semaphore per merchant is acquired before a connection: if a merchant's row is locked, a few
connections wait for it and the others stay available. A circuit breaker refuses further
transactions of that merchant until one succeeds.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, NamedTuple

from models.database.faults import LOCKED, fault_of, state_of
from models.database.limits import DatabaseLimits
from models.errors import TemporarilyUnavailable

_BLOCKED_FOR: Final = 60.0
"""Seconds for which the circuit breaker of a scope stays open, unless a transaction succeeds."""

_FULL: Final = "Too many requests about this merchant are waiting for one another."
_LOCKED: Final = "Another transaction keeps this merchant locked."


class LockScope(NamedTuple):
    """The owner of the row locks that a transaction may have to wait for.

    Without a merchant it is the tenant itself. A merchant is given by name or by row id; the two
    are different scopes.
    """

    tenant_id: int
    merchant: int | str | None = None
    work: str = ""
    """Kind of transaction. Each has its own circuit breaker, because it locks other rows."""


@dataclass(slots=True)
class _Slots:
    """The slots of one scope, while any is taken or waited for."""

    at_once: int
    free: int
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    waiting_when_locked: set[asyncio.Future[None]] = field(default_factory=set)

    async def wait(self, within: float, *, wait_when_locked: bool) -> None:
        """Wait behind earlier waiters; raises TemporarilyUnavailable."""
        slot = asyncio.get_running_loop().create_future()
        self.waiting.append(slot)
        if wait_when_locked:
            self.waiting_when_locked.add(slot)
        try:
            async with asyncio.timeout(within):
                await slot
        except TimeoutError as error:
            self._withdraw(slot)
            raise TemporarilyUnavailable(_FULL) from error
        except asyncio.CancelledError:
            self._withdraw(slot)
            raise
        finally:
            self.waiting_when_locked.discard(slot)

    def release(self) -> None:
        """Pass the slot to the next waiter."""
        while self.waiting:
            slot = self.waiting.popleft()
            if not slot.done():
                slot.set_result(None)
                return
        self.free += 1

    def refuse(self) -> None:
        """Refuse all waiters except those with `wait_when_locked`."""
        for slot in self.waiting:
            if slot not in self.waiting_when_locked and not slot.done():
                slot.set_exception(TemporarilyUnavailable(_LOCKED))
        self.waiting = deque(slot for slot in self.waiting if not slot.done())

    def _withdraw(self, slot: asyncio.Future[None]) -> None:
        """Stop waiting; a slot that was granted at the same moment is passed on."""
        if slot in self.waiting:
            self.waiting.remove(slot)
        elif slot.done() and not slot.cancelled() and slot.exception() is None:
            self.release()


class TransactionLimits:
    """The slots of this process; memory is bounded by running, waiting and blocked scopes."""

    def __init__(
        self, pool_size: int, limits: DatabaseLimits, clock: Callable[[], float] = monotonic
    ) -> None:
        self._of_a_merchant = max(1, pool_size // 5)
        self._of_a_tenant = max(1, pool_size * 3 // 5)
        self._waiting = limits.waiting
        self._within = limits.slot_wait.total_seconds()
        self._clock = clock
        self._slots: dict[LockScope, _Slots] = {}
        self._blocked: dict[LockScope, float] = {}
        """End of each block, the earliest first."""

    @asynccontextmanager
    async def slot(
        self, lock_scope: LockScope | None, *, wait_when_locked: bool = False
    ) -> AsyncIterator[None]:
        """Wait for a slot and hold it inside the block; None needs none.

        After a transaction of a scope timed out on a lock, the others of the scope are refused
        except for one at a time, until one succeeds. `wait_when_locked` is not refused. Raises
        TemporarilyUnavailable.
        """
        if lock_scope is None:
            yield
            return
        tenant = LockScope(lock_scope.tenant_id)
        inner = lock_scope != tenant
        # The merchant's slot first, so that waiting for it does not occupy a slot of the tenant.
        entered = await self._enter(lock_scope, wait_when_locked=wait_when_locked)
        try:
            outer = await self._enter(tenant, wait_when_locked=wait_when_locked) if inner else None
            try:
                yield
            except Exception as error:
                self._learn(lock_scope, error)
                raise
            else:
                self._learn(lock_scope, None)
            finally:
                if outer is not None:
                    self._leave(tenant, outer)
        finally:
            self._leave(lock_scope, entered)

    @property
    def remembered(self) -> int:
        """Number of scopes in memory."""
        return len(self._slots) + len(self._blocked)

    async def _enter(self, lock_scope: LockScope, *, wait_when_locked: bool) -> _Slots:
        """Take a slot; return the slots it must be released to."""
        slots = self._slots.get(lock_scope)
        if slots is None:
            at_once = self._of_a_tenant if lock_scope.merchant is None else self._of_a_merchant
            slots = self._slots[lock_scope] = _Slots(at_once, at_once)
        elif not wait_when_locked and self._is_blocked(lock_scope):
            raise TemporarilyUnavailable(_LOCKED)
        if slots.free:
            slots.free -= 1
        elif len(slots.waiting) >= self._waiting:
            raise TemporarilyUnavailable(_FULL)
        else:
            try:
                await slots.wait(self._within, wait_when_locked=wait_when_locked)
            except BaseException:
                self._forget_unused(lock_scope, slots)
                raise
        return slots

    def _leave(self, lock_scope: LockScope, slots: _Slots) -> None:
        slots.release()
        self._forget_unused(lock_scope, slots)

    def _forget_unused(self, lock_scope: LockScope, slots: _Slots) -> None:
        """Remove slots that are neither taken nor waited for, unless they were already replaced.

        A refused or canceled waiter gets here after the last slot was released, and another
        transaction may have entered in between.
        """
        if slots.free == slots.at_once and self._slots.get(lock_scope) is slots:
            del self._slots[lock_scope]

    def _learn(self, lock_scope: LockScope, error: Exception | None) -> None:
        """Record whether a transaction timed out on a lock or succeeded."""
        if error is not None and state_of(error) == LOCKED:
            self._block(lock_scope)
        elif self._blocked and (error is None or fault_of(error) is None):
            self._blocked.pop(lock_scope, None)  # perhaps it failed, but not because of a lock

    def _is_blocked(self, lock_scope: LockScope) -> bool:
        now = self._clock()
        while self._blocked and next(iter(self._blocked.values())) <= now:
            del self._blocked[next(iter(self._blocked))]
        return lock_scope in self._blocked

    def _block(self, lock_scope: LockScope) -> None:
        self._is_blocked(lock_scope)  # removes expired blocks
        if lock_scope.merchant is None:
            return  # it is shared by many merchants
        self._blocked.pop(lock_scope, None)
        self._blocked[lock_scope] = self._clock() + _BLOCKED_FOR
        self._slots[lock_scope].refuse()
