"""Wakes the workflows of endpoints that have a delivery due."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Final

from temporalio.client import Client

from models.queries.webhooks import wake_ups
from models.queries.webhooks.deliveries_due import EndpointKey
from models.session import Database
from workflows.webhooks.start import wake_webhooks
from workflows.webhooks.types import WebhookEndpointInput

log = logging.getLogger(__name__)

_MOST: Final = 30
"""Endpoints per look; after a full one the next look follows at once. Few, because an endpoint
whose delivery becomes due during a look waits for the next one.
"""
_AT_ONCE: Final = 10
_START_PATIENCE: Final = 3.0
"""Seconds for one call to Temporal. Then the rest of the look makes no calls."""
_SHARE: Final = 9
"""Looking takes at most a tenth of the time, however many endpoints have pending deliveries."""


class WebhookWakeUps:
    """Looks for such endpoints again and again; several workers may do so at once."""

    def __init__(self, database: Database, client: Client, every: timedelta) -> None:
        self._database = database
        self._client = client
        self._every = every.total_seconds()

    async def run(self) -> None:
        """Look until cancelled; an error is logged, and the next look follows."""
        while True:
            began = monotonic()
            woken = 0
            try:
                woken = await self.look()
            except Exception as error:
                log.warning(
                    "endpoints could not be looked for", extra={"error": type(error).__name__}
                )
            took = monotonic() - began
            await asyncio.sleep(0 if woken == _MOST else max(self._every, _SHARE * took))

    async def look(self) -> int:
        """Wake endpoints that have a delivery due; return how many were woken.

        What could not be woken is found by the next look. If this process is killed in between, it
        is found once `LOST_AFTER` has passed.
        """
        async with self._database.statement() as db:
            found = await wake_ups.take_sleeping(db, most=_MOST)
        if not found:
            return 0
        left = await self._wake(found)
        if left:
            async with self._database.statement() as db:
                await wake_ups.put_back(db, left)
        return len(found) - len(left)

    async def _wake(self, endpoints: Sequence[EndpointKey]) -> list[EndpointKey]:
        """Wake endpoints, a few at a time; return those that were not woken.

        One that fails does not affect the others, unless Temporal does not answer.
        """
        coming, left = iter(endpoints), []

        async def wake_remaining() -> None:
            for endpoint in coming:
                try:
                    await asyncio.wait_for(self._wake_one(endpoint), _START_PATIENCE)
                except Exception as error:
                    left.append(endpoint)
                    log.warning(
                        "an endpoint could not be woken", extra={"error": type(error).__name__}
                    )
                    return

        await asyncio.gather(*(wake_remaining() for _ in range(min(_AT_ONCE, len(endpoints)))))
        return [*left, *coming]

    async def _wake_one(self, endpoint: EndpointKey) -> None:
        await wake_webhooks(
            self._client,
            WebhookEndpointInput(
                tenant_id=endpoint.tenant_id,
                endpoint_id=endpoint.endpoint_id,
                public_id=endpoint.public_id,
            ),
        )
