"""The loop of the workflows that run for ever, in runs of bounded length."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from temporalio import workflow

TURNS: Final = 500
"""Turns in one run, so that its history stays short."""


async def take_turns(turn: Callable[[], Awaitable[timedelta]]) -> None:
    """Take the turns of one run; each returns how long to wait before the next one.

    Afterwards the workflow continues as new.
    """
    for _ in range(TURNS):
        await workflow.sleep(await turn())
