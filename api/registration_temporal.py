"""The API's hand on registrations; it may fail, and then their sweeper makes up for it."""

import asyncio
import logging
from collections.abc import Coroutine
from time import monotonic
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from models.rules.waits import RegistrationWaits
from workflows.registration_starting import (
    RegistrationStart,
    start_registration,
    wake_registration,
)

log = logging.getLogger(__name__)

_PATIENCE = 1.0
_SKIP = 3.0
"""Seconds, as for sends: see `api.temporal`."""


class RegistrationStarter:
    """Starts and wakes the stories of brands, campaigns and numbers, within bounds."""

    def __init__(self, client: Client, waits: RegistrationWaits) -> None:
        self._client = client
        self._waits = waits
        self._skip_until = 0.0

    async def start(self, registration: RegistrationStart, *, fresh: bool) -> None:
        """Make sure a story runs; `fresh` if its row was submitted just now."""
        await self._try(start_registration(self._client, registration, self._waits, fresh=fresh))

    async def wake(self, workflow_id: str) -> None:
        """Tell a story that there is news; nobody there is fine."""
        await self._try(wake_registration(self._client, workflow_id))

    async def _try(self, call: Coroutine[Any, Any, object]) -> None:
        if monotonic() < self._skip_until:
            call.close()
            return
        try:
            await asyncio.wait_for(call, _PATIENCE)
        except (TimeoutError, RPCError, RuntimeError) as error:
            self._skip_until = monotonic() + _SKIP
            log.warning("Temporal is out of reach", extra={"reason": type(error).__name__})
