"""Sweeps usage records whose provider has not reported its price: asks with growing gaps."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeAlias

from models.queries.billing import awaited_prices
from models.queries.billing.awaited_prices import AwaitedPrice
from models.session import Database

log = logging.getLogger(__name__)

AskPrice: TypeAlias = Callable[[int, int], Awaitable[bool]]
"""Asks the provider of a tenant's message (row ids), and stores what it says; False: no answer."""

_AT_ONCE: Final = 10
"""Questions to one account at a time."""

_LONGEST_SECONDS: Final = 5.0
"""One question takes no longer."""

_TURN_SECONDS: Final = 15.0
"""No question begins later than this after the beginning of a turn, which other rows wait for."""


class PriceSweep:
    """Asks providers for prices that are due. Idempotent: a price is stored once with its report.

    An account that does not answer is left alone until the next turn. What is not asked in a turn
    is asked after the next gap.
    """

    def __init__(
        self, database: Database, ask: AskPrice, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._ask = ask
        self._clock = clock
        self._ends = 0.0
        self._silent: set[str] = set()
        self._permits: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_AT_ONCE)
        )

    async def take(self, now: datetime, most: int) -> list[AwaitedPrice]:
        """Return the messages whose price is due, and set when it is due next."""
        self._ends = self._clock() + _TURN_SECONDS
        self._silent.clear()
        self._permits.clear()
        async with self._database.transaction() as db:
            return list(await awaited_prices.take_due(db, now=now, most=most))

    async def resume(self, due: AwaitedPrice) -> bool:
        """Ask for one price; False if it was not asked for or the account did not answer."""
        async with self._permits[due.account]:
            if due.account in self._silent or self._clock() >= self._ends:
                return False
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    answered = await self._ask(due.tenant_id, due.message_id)
            except TimeoutError:
                answered = False
            if not answered:
                self._silent.add(due.account)
                log.warning("no answer to the question for a price", extra={"account": due.account})
            return answered
