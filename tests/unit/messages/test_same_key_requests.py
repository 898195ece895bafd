"""Requests with one key in one process: serialized, with a timeout."""

import asyncio
from datetime import timedelta

import pytest

from api.services.messages.same_key_requests import KeyLocks
from models.errors import TemporarilyUnavailable


async def test_the_second_request_learns_of_the_first_and_others_do_not_wait() -> None:
    locks = KeyLocks()
    order: list[str] = []

    async def one(name: str, key: str | None) -> bool:
        async with locks.hold(key) as second:
            order.append(f"{name} in")
            await asyncio.sleep(0.01)
            order.append(f"{name} out")
            return second

    told = await asyncio.gather(one("a", "k"), one("b", "k"), one("c", "other"), one("d", None))
    assert list(told) == [False, True, False, False]
    assert order.index("a out") < order.index("b in")
    assert order.index("d in") < order.index("a out")
    assert await one("e", "k") is False, "nothing is remembered"


async def test_every_wait_has_a_timeout() -> None:
    locks = KeyLocks(timedelta(seconds=0.05))
    async with locks.hold("k"):
        with pytest.raises(TemporarilyUnavailable):
            async with locks.hold("k"):
                pass
    async with locks.hold("k") as second:
        assert not second


async def test_a_first_that_fails_lets_the_second_try() -> None:
    locks = KeyLocks()
    began = asyncio.Event()

    async def fail() -> None:
        async with locks.hold("k"):
            began.set()
            await asyncio.sleep(0.01)
            raise ZeroDivisionError

    failing = asyncio.create_task(fail())
    await began.wait()
    async with locks.hold("k") as second:
        assert second
    with pytest.raises(ZeroDivisionError):
        await failing


async def test_the_timeout_also_applies_while_the_lock_is_handed_over() -> None:
    locks = KeyLocks(timedelta(seconds=0.05))

    async def hold() -> None:
        async with locks.hold("k"):
            await asyncio.Event().wait()

    async with locks.hold("k"):
        waiting = asyncio.create_task(hold())
        await asyncio.sleep(0)
    # Released, but not yet handed over: the waiter wakes in the next iteration of the loop.
    with pytest.raises(TemporarilyUnavailable):
        async with asyncio.timeout(2), locks.hold("k"):
            pass
    waiting.cancel()
