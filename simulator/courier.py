"""Tells callback URLs what happened: signed, in order, repeated until answered.

The reports of one message go out one after the other, each after the one before was answered or
has failed once; a failed one is then repeated on its own, with the same event id and a fresh
signature, for a minute.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator.clock import utc_now
from simulator.poster import Poster
from simulator.signing import HEADER, signature

log = logging.getLogger(__name__)

REPEAT_FOR_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell one URL, from `due` on; `times` > 1 tells it again on purpose."""

    url: str
    payload: dict[str, Any]
    due: datetime
    times: int = 1


class Courier:
    """Carries notices to their URLs in the background."""

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret
        self._poster = Poster()
        self._registry_operations: set[asyncio.Task[None]] = set()

    def carry(self, notices: Sequence[Notice], when_told: Callable[[], None]) -> None:
        """Tell these in order; call back once each was answered or given up."""
        self._start(self._registry_operation(notices, when_told))

    async def close(self) -> None:
        """Drop everything still under way; what must survive is in the journal."""
        registry_operations = list(self._registry_operations)
        for registry_operation in registry_operations:
            registry_operation.cancel()
        await asyncio.gather(*registry_operations, return_exceptions=True)
        self._poster.close()

    def _start(self, registry_operation: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(registry_operation)
        self._registry_operations.add(task)
        task.add_done_callback(self._registry_operations.discard)
        return task

    async def _registry_operation(
        self, notices: Sequence[Notice], when_told: Callable[[], None]
    ) -> None:
        insisting = []
        for notice in notices:
            await asyncio.sleep(max(0.0, (notice.due - utc_now()).total_seconds()))
            body = json.dumps(notice.payload).encode()
            for _ in range(notice.times):
                if not await self._told(notice.url, body):
                    insisting.append(self._start(self._insist(notice.url, body)))
        if insisting:
            await asyncio.gather(*insisting)
        when_told()

    async def _insist(self, url: str, body: bytes) -> None:
        """Repeat a failed notice with growing pauses until a minute has passed."""
        give_up = time.monotonic() + REPEAT_FOR_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while time.monotonic() + pause < give_up:
            await asyncio.sleep(pause)
            if await self._told(url, body):
                return
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        log.warning("webhook given up after a minute", extra={"url": url})

    async def _told(self, url: str, body: bytes) -> bool:
        """Post once; anything but a 2xx counts as not told."""
        try:
            status = await self._poster.post(url, body, {HEADER: signature(self._secret, body)})
        except (OSError, UnicodeError):  # no way there, no answer in time, no such host name
            return False
        return 200 <= status < 300
