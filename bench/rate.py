"""Measures how often an action ends in a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def rate(action: Callable[[], Awaitable[None]], seconds: float, *, concurrent: int) -> float:
    """Repeat an action for so long, `concurrent` at once; return how many ended in a second."""
    ends: list[float] = []
    began = time.monotonic()

    async def repeat() -> None:
        while time.monotonic() - began < seconds:
            await action()
            ends.append(time.monotonic() - began)

    await asyncio.gather(*(repeat() for _ in range(concurrent)))
    return sum(end <= seconds for end in ends) / seconds
