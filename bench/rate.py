"""Measures how often an action completes per second."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def rate(action: Callable[[], Awaitable[None]], seconds: float, *, concurrent: int) -> float:
    """Repeat an action for `seconds` with `concurrent` tasks; return the completions per second."""
    ends: list[float] = []
    began = time.monotonic()

    async def repeat() -> None:
        while time.monotonic() - began < seconds:
            await action()
            ends.append(time.monotonic() - began)

    await asyncio.gather(*(repeat() for _ in range(concurrent)))
    return sum(end <= seconds for end in ends) / seconds
