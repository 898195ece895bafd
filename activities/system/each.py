"""Loop of housekeeping activities: processes every item, even if others fail."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

log = logging.getLogger(__name__)

Item = TypeVar("Item")


async def act_on_each(
    act: Callable[[Item], Awaitable[bool]], items: Sequence[Item], *, at_once: int
) -> int:
    """Process every item, `at_once` at a time; return how many of them changed.

    An item that fails is logged and does not stop the others: a later turn takes it again.
    """
    changed = 0
    for first in range(0, len(items), at_once):
        outcomes = await asyncio.gather(
            *map(act, items[first : first + at_once]), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                log.error("one item failed and will be retried", exc_info=outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                changed += outcome
    return changed
