"""Concurrent calls with one key share one call, its result and its error."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from api.shared_calls import SharedCalls


class Source:
    """Responds when it is opened; counts its calls by key."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.opened = asyncio.Event()

    def of(self, key: str) -> Callable[[], Coroutine[Any, Any, str]]:
        """Return the call of a key."""
        return lambda: self._answer(key)

    async def _answer(self, key: str) -> str:
        self.asked.append(key)
        await self.opened.wait()
        if self.error is not None:
            raise self.error
        return f"{key} {len(self.asked)}"


@pytest.fixture
def source() -> Source:
    return Source()


async def _asking(calls: SharedCalls[str, str], source: Source, *keys: str) -> list[Any]:
    """Start one caller per key, and return once all of them wait."""
    callers = [asyncio.create_task(calls.get(key, source.of(key))) for key in keys]
    while len(source.asked) < len(set(keys)):  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)
    return callers


async def test_callers_at_once_share_a_call_per_key_and_a_later_one_makes_its_own(
    source: Source,
) -> None:
    calls = SharedCalls[str, str]()
    callers = await _asking(calls, source, "a", "b", "a", "a")
    source.opened.set()
    assert await asyncio.gather(*callers) == ["a 2", "b 2", "a 2", "a 2"]
    assert await calls.get("a", source.of("a")) == "a 3"


async def test_the_others_get_the_result_when_the_first_caller_goes_away(source: Source) -> None:
    calls = SharedCalls[str, str]()
    first, second = await _asking(calls, source, "a", "a")
    first.cancel()
    await asyncio.wait([first])
    source.opened.set()
    assert first.cancelled()
    assert await second == "a 1"


async def test_all_callers_get_the_error_and_the_next_one_calls_again(source: Source) -> None:
    calls = SharedCalls[str, str]()
    source.error = ValueError("not now")
    callers = await _asking(calls, source, "a", "a")
    source.opened.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert answers == [source.error, source.error]
    source.error = None
    assert await calls.get("a", source.of("a")) == "a 2"


async def test_an_error_without_waiters_is_not_reported(source: Source) -> None:
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: reported.append(context))
    calls = SharedCalls[str, str]()
    source.error = ValueError("nobody hears it")
    (only,) = await _asking(calls, source, "a")
    only.cancel()
    await asyncio.wait([only])
    source.opened.set()
    await asyncio.sleep(0.01)
    del only
    gc.collect()
    loop.set_exception_handler(None)
    ours = [context for context in reported if context.get("exception") is source.error]
    assert ours == []  # the collector may also find what other tests left


async def test_a_result_and_an_error_are_kept_as_long_as_configured(source: Source) -> None:
    calls = SharedCalls[str, str](kept_for=0.2)
    source.opened.set()
    assert await calls.get("a", source.of("a")) == "a 1"
    assert await calls.get("a", source.of("a")) == "a 1"
    await asyncio.sleep(0.25)
    source.error = ValueError("not now")
    for _ in range(2):
        with pytest.raises(ValueError, match="not now"):
            await calls.get("a", source.of("a"))
    assert source.asked == ["a", "a"]


async def test_a_call_that_was_canceled_is_not_kept(source: Source) -> None:
    calls = SharedCalls[str, str](kept_for=60)

    async def give_up() -> str:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await calls.get("a", give_up)
    source.opened.set()
    assert await calls.get("a", source.of("a")) == "a 1"
