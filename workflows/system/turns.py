"""Loop of the workflows that run indefinitely, in runs of bounded length."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from temporalio import workflow

TURNS: Final = 500
"""Turns per run, to keep the history short."""


async def take_turns(turn: Callable[[], Awaitable[timedelta]]) -> None:
    """Run the turns of one run; each returns the wait before the next one.

    The caller continues as new afterwards.
    """
    for _ in range(TURNS):
        await workflow.sleep(await turn())
