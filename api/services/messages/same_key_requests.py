"""Serializes concurrent requests with one Idempotency-Key before they take a connection."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from models.database.limits import KEY_WAIT
from models.errors import TemporarilyUnavailable

UNDER_WAY: Final = (
    "The first request with this Idempotency-Key is still being processed. Repeat it later."
)


@dataclass(slots=True)
class _Key:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class KeyLocks:
    """Locks of the keys in use in this process. Their number is bounded by the running requests.

    Requests in two processes are serialized by the database, at the row lock of the first one's
    hold.
    """

    def __init__(self, patience: timedelta = KEY_WAIT) -> None:
        self._patience = patience.total_seconds()
        self._keys: dict[Hashable, _Key] = {}

    @asynccontextmanager
    async def hold(self, key: Hashable | None) -> AsyncIterator[bool]:
        """Hold the lock of a key; yield whether another request held it before.

        None means no key and takes no lock. Raises TemporarilyUnavailable after a timeout.
        """
        if key is None:
            yield False
            return
        held = self._keys.setdefault(key, _Key())
        second = held.users > 0
        held.users += 1
        try:
            await self._take(held.lock, alone=not second)
            try:
                yield second
            finally:
                held.lock.release()
        finally:
            held.users -= 1
            if not held.users:
                del self._keys[key]

    async def _take(self, lock: asyncio.Lock, *, alone: bool) -> None:
        if alone:  # most requests need no timer
            await lock.acquire()
            return
        # Not `lock.locked()`: it is False while the lock is handed over to a waiter.
        try:
            async with asyncio.timeout(self._patience):
                await lock.acquire()
        except TimeoutError as error:
            raise TemporarilyUnavailable(UNDER_WAY) from error
