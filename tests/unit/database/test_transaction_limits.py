"""Limits of concurrent transactions: a few at once, and hopeless ones fail at once."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg.errors import DiskFull, LockNotAvailable

from models.database.limits import API
from models.database.transaction_limits import LockScope, TransactionLimits
from models.errors import InsufficientCredits, TemporarilyUnavailable

GYM, OTHER = LockScope(1, "gym", "send"), LockScope(1, "other", "send")


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Inside:
    """A transaction that holds its slot until it is told to end."""

    def __init__(
        self, lanes: TransactionLimits, lane: LockScope | None, *, wait_when_locked: bool = False
    ) -> None:
        self.began = asyncio.Event()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._run(lanes, lane, wait_when_locked))

    async def _run(
        self, lanes: TransactionLimits, lane: LockScope | None, wait_when_locked: bool
    ) -> None:
        async with lanes.slot(lane, wait_when_locked=wait_when_locked):
            self.began.set()
            await self._end

    def let_go(self, error: Exception | None = None) -> None:
        """Let it end in the next iteration of the event loop."""
        if error is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(error)

    async def end(self, error: Exception | None = None) -> None:
        self.let_go(error)
        with suppress(type(error) if error else ZeroDivisionError):
            await self.task


async def inside(lanes: TransactionLimits, lane: LockScope | None, count: int) -> list[Inside]:
    started = [Inside(lanes, lane) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return started


def running(some: list[Inside]) -> int:
    return sum(one.began.is_set() for one in some)


async def test_a_merchant_has_a_fifth_of_the_pool_and_the_others_theirs() -> None:
    lanes = TransactionLimits(20, API)
    gym, other = await inside(lanes, GYM, 10), await inside(lanes, OTHER, 1)
    assert (running(gym), running(other)) == (4, 1)
    await gym[0].end()
    await asyncio.sleep(0)
    assert running(gym) == 5
    for one in [*gym[1:], *other]:
        await one.end()
    assert lanes.remembered == 0


async def test_a_tenant_leaves_two_fifths_of_the_pool_to_others() -> None:
    lanes = TransactionLimits(20, API)
    mine = [one for name in "abcdef" for one in await inside(lanes, LockScope(1, name), 4)]
    theirs = await inside(lanes, LockScope(2, "a"), 1)
    assert (running(mine), running(theirs)) == (12, 1)
    for one in [*mine, *theirs]:
        await one.end()
    assert lanes.remembered == 0


async def test_a_pool_of_any_size_admits_a_transaction() -> None:
    lanes = TransactionLimits(2, API)
    assert running(await inside(lanes, GYM, 2)) == 1
    assert running(await inside(lanes, None, 50)) == 50


async def test_a_lock_timeout_fails_the_waiters_of_its_lane() -> None:
    lanes = TransactionLimits(20, API)
    gym = await inside(lanes, GYM, 10)
    other = await inside(lanes, OTHER, 6)
    await gym[0].end(LockNotAvailable())
    for waiting in gym[5:]:
        with pytest.raises(TemporarilyUnavailable, match="locked"):
            await waiting.task
    with pytest.raises(TemporarilyUnavailable):
        async with lanes.slot(GYM):
            pass
    assert not any(one.task.done() for one in other)
    assert running([Inside(lanes, LockScope(1, "gym", "consent"))]) == 0  # begins in a moment
    await asyncio.sleep(0.01)


async def test_one_at_a_time_finds_out_whether_the_lock_is_gone() -> None:
    lanes = TransactionLimits(20, API)
    [first] = await inside(lanes, GYM, 1)
    await first.end(LockNotAvailable())
    [probe, refused] = await inside(lanes, GYM, 2)
    assert (running([probe]), running([refused])) == (1, 0)
    with pytest.raises(TemporarilyUnavailable):
        await refused.task
    await probe.end()
    assert running(await inside(lanes, GYM, 4)) == 4


@pytest.mark.parametrize(("error", "through"), [(InsufficientCredits(), 4), (DiskFull(), 1)])
async def test_only_an_application_error_unblocks_the_lane(error: Exception, through: int) -> None:
    lanes = TransactionLimits(20, API)
    [first] = await inside(lanes, GYM, 1)
    await first.end(LockNotAvailable())
    [probe] = await inside(lanes, GYM, 1)
    await probe.end(error)
    some = await inside(lanes, GYM, 4)
    assert running(some) == through
    await asyncio.gather(*(one.task for one in some[through:]), return_exceptions=True)


async def test_a_patient_transaction_waits_although_the_lane_is_locked() -> None:
    lanes = TransactionLimits(20, API)
    gym = await inside(lanes, GYM, 4)
    patient = Inside(lanes, GYM, wait_when_locked=True)
    await asyncio.sleep(0)
    await gym[0].end(LockNotAvailable())
    await asyncio.wait_for(patient.began.wait(), 5)


async def test_the_wait_and_the_number_of_waiters_are_bounded() -> None:
    lanes = TransactionLimits(5, replace(API, waiting=2, slot_wait=timedelta(seconds=0.1)))
    first, second, third, fourth = await inside(lanes, GYM, 4)
    with pytest.raises(TemporarilyUnavailable):
        await fourth.task
    assert not second.task.done()
    for waiting in (second, third):
        with pytest.raises(TemporarilyUnavailable):
            await waiting.task
    await first.end()
    assert lanes.remembered == 0


async def test_a_cancelled_waiter_leaves_no_turn_behind() -> None:
    lanes = TransactionLimits(5, API)
    first, second, third = await inside(lanes, GYM, 3)
    second.task.cancel()
    await asyncio.sleep(0)
    await first.end()
    await asyncio.wait_for(third.began.wait(), 5)
    fourth = Inside(lanes, GYM)
    await asyncio.sleep(0)
    third.task.cancel()
    await asyncio.wait_for(fourth.began.wait(), 5)
    await fourth.end()
    assert lanes.remembered == 0


async def test_the_turn_of_a_cancelled_waiter_goes_to_the_next() -> None:
    lanes = TransactionLimits(5, API)
    first, second, third = await inside(lanes, GYM, 3)
    ending = asyncio.create_task(first.end())
    await asyncio.sleep(0)
    second.task.cancel()
    await ending
    await asyncio.wait_for(third.began.wait(), 5)
    await third.end()
    assert lanes.remembered == 0


async def test_an_unused_lane_is_removed() -> None:
    lanes = TransactionLimits(5, API)
    first, second = await inside(lanes, GYM, 2)
    ending = asyncio.create_task(first.end())
    await asyncio.sleep(0)
    second.task.cancel()
    await ending
    await asyncio.wait([second.task])
    assert lanes.remembered == 0


@pytest.mark.parametrize("by", ["refusal", "cancellation", "timeout"])
async def test_a_waiter_that_leaves_late_takes_nothing_from_the_next_to_enter(by: str) -> None:
    within = timedelta(seconds=0 if by == "timeout" else 5)
    lanes = TransactionLimits(5, replace(API, slot_wait=within))
    [first] = await inside(lanes, GYM, 1)
    waiter = Inside(lanes, GYM)
    await asyncio.sleep(0)
    # In one iteration of the loop: the first leaves, the next enters, then the waiter wakes.
    first.let_go(LockNotAvailable() if by == "refusal" else None)
    following = Inside(lanes, GYM)
    if by == "cancellation":
        waiter.task.cancel()
    await asyncio.gather(first.task, waiter.task, return_exceptions=True)
    assert running([waiter, following]) == running([following]) == 1
    [late] = await inside(lanes, GYM, 1)
    assert running([late]) == 0  # one at once
    await following.end(LockNotAvailable())
    await asyncio.gather(late.task, return_exceptions=True)
    assert lanes.remembered == 1  # what is blocked


async def test_blocked_lanes_expire() -> None:
    clock = Clock()
    lanes = TransactionLimits(20, API, clock)
    for number in range(100):
        [one] = await inside(lanes, LockScope(1, number), 1)
        await one.end(LockNotAvailable())
    assert lanes.remembered == 100
    clock.now = 61
    [one] = await inside(lanes, GYM, 1)
    await one.end(LockNotAvailable())
    assert lanes.remembered == 1
