"""Sends webhooks to callback URLs: signed, in order, repeated until answered.

The reports of one message are sent one after the other, each after the previous one was answered or
has failed once. A failed one is then retried separately, with the same event id and a fresh
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
from simulator.signing import HEADER, signature
from simulator.webhook_client import WebhookClient

log = logging.getLogger(__name__)

REPEAT_FOR_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """One payload for one URL, sent at `due`; `times` > 1 sends duplicates on purpose."""

    url: str
    payload: dict[str, Any]
    due: datetime
    times: int = 1


class WebhookSender:
    """Sends webhooks in the background."""

    def __init__(self, signing_secret: str) -> None:
        self._secret = signing_secret
        self._webhook_client = WebhookClient()
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, webhooks: Sequence[Webhook], on_delivered: Callable[[], None]) -> None:
        """Send these in order; call back when each was answered or given up."""
        self._start(self._send_in_order(webhooks, on_delivered))

    async def close(self) -> None:
        """Cancel what is still being sent; unsent webhooks are in the journal."""
        tasks = list(self._tasks)
        for work in tasks:
            work.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._webhook_client.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send_in_order(
        self, webhooks: Sequence[Webhook], on_delivered: Callable[[], None]
    ) -> None:
        retries = []
        for webhook in webhooks:
            await asyncio.sleep(max(0.0, (webhook.due - utc_now()).total_seconds()))
            body = json.dumps(webhook.payload).encode()
            for _ in range(webhook.times):
                if not await self._post(webhook.url, body):
                    retries.append(self._start(self._retry(webhook.url, body)))
        if retries:
            await asyncio.gather(*retries)
        on_delivered()

    async def _retry(self, url: str, body: bytes) -> None:
        """Retry a failed webhook with back-off for a minute."""
        give_up = time.monotonic() + REPEAT_FOR_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while time.monotonic() + pause < give_up:
            await asyncio.sleep(pause)
            if await self._post(url, body):
                return
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        log.warning("webhook given up after a minute", extra={"url": url})

    async def _post(self, url: str, body: bytes) -> bool:
        """Post once; return whether the response was a 2xx."""
        try:
            status = await self._webhook_client.post(
                url, body, {HEADER: signature(self._secret, body)}
            )
        except (OSError, UnicodeError):  # unreachable, timed out, or an invalid host name
            return False
        return 200 <= status < 300
