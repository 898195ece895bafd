"""Records when keys were last used, to the minute and without a write per request."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from models.queries.tenants.api_keys import LastUse, write_last_uses
from models.session import Database

TICK: Final = 1.0
"""Seconds between two writes."""

MOST_KEYS: Final = 10_000
"""Keys that are remembered; the oldest is forgotten, and at worst written again."""

_MOST_WRITTEN: Final = 1000
"""Maximum keys per statement."""

_PATIENCE: Final = 5.0
"""Seconds that a write may take."""

_Key: TypeAlias = tuple[int, int]
"""Tenant id and key id."""

log = logging.getLogger(__name__)


class KeyLastUses:
    """The last uses of keys in one API process.

    A key is written at most once per minute and process: the first use in a minute is noted, the
    next tick writes it with all others, and a row only moves forward.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._minutes: OrderedDict[_Key, datetime] = OrderedDict()
        self._unwritten: OrderedDict[_Key, datetime] = OrderedDict()

    def note(self, tenant_id: int, key_id: int) -> None:
        """Note that a key was used now."""
        key, minute = (tenant_id, key_id), self._clock().replace(second=0, microsecond=0)
        if self._minutes.get(key) == minute:
            return
        for noted in (self._minutes, self._unwritten):
            noted[key] = minute
            noted.move_to_end(key)
            if len(noted) > MOST_KEYS:
                noted.popitem(last=False)

    async def run(self) -> None:
        """Write in a loop. While Postgres is unreachable the uses are kept."""
        away = False
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.write()
                away = False
            except Exception as error:  # any failure: the next tick tries again
                if not away:
                    log.warning(
                        "last uses of keys could not be written",
                        extra={"error": type(error).__name__},
                    )
                away = True

    async def close(self) -> None:
        """Write what is left, at shutdown; a failure is logged and loses it."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while self._unwritten:
                    await self.write()
        except Exception as error:  # it must not keep the process from ending
            log.warning("last uses of keys are lost", extra={"error": type(error).__name__})

    async def write(self) -> None:
        """Write the oldest unwritten uses, in one statement."""
        due = list(self._unwritten.items())[:_MOST_WRITTEN]
        if not due:
            return
        uses = [
            LastUse(tenant_id=tenant, key_id=key, minute=minute) for (tenant, key), minute in due
        ]
        async with asyncio.timeout(_PATIENCE), self._database.statement() as db:
            await write_last_uses(db, uses)
        for key, minute in due:
            if self._unwritten.get(key) == minute:  # else it was used again
                del self._unwritten[key]
