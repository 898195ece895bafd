"""A housekeeping step processes every item, a few at a time, even if one of them fails."""

import asyncio

import pytest

from activities.system.each import act_on_each


async def test_an_item_that_fails_stops_none_of_the_others() -> None:
    acted: list[int] = []

    async def act(item: int) -> bool:
        acted.append(item)
        if item == 2:
            raise ConnectionError
        return item != 3

    assert await act_on_each(act, [1, 2, 3, 4, 5], at_once=2) == 3
    assert acted == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("at_once", [1, 3])
async def test_concurrency_is_limited(at_once: int) -> None:
    flying, most = 0, 0

    async def act(item: int) -> bool:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        flying -= 1
        return True

    assert await act_on_each(act, list(range(7)), at_once=at_once) == 7
    assert most == at_once


async def test_a_cancellation_is_not_taken_for_a_failed_item() -> None:
    async def act(item: int) -> bool:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await act_on_each(act, [1, 2], at_once=1)
