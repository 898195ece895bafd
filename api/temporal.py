"""The API's hand on Temporal: it may fail, and then nothing is lost but a moment."""

import asyncio
import logging
from time import monotonic

from temporalio.client import Client
from temporalio.service import RPCError

from models.rules.waits import SendWaits
from workflows.provisioning import start_provisioning
from workflows.provisioning_types import ProvisionInput
from workflows.starting import News, SendStart, start_send, wake_send

log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds a request waits for Temporal. `rpc_timeout` alone lets a dead server take nine."""

_SKIP = 3.0
"""Seconds without a try after a failure, so that an outage does not slow every request."""


class WorkflowStarter:
    """Starts and wakes workflows, within bounds; the sweeper makes up for what it could not do."""

    def __init__(self, client: Client, waits: SendWaits) -> None:
        self._client = client
        self._waits = waits
        self._skip_until = 0.0

    async def start(self, send: SendStart) -> None:
        """Start the workflow of a send; running, finished and out of reach are all fine."""
        if monotonic() < self._skip_until:
            return
        try:
            await asyncio.wait_for(start_send(self._client, send, self._waits), _PATIENCE)
        except (TimeoutError, RPCError, RuntimeError) as error:
            self._failed(error)

    async def wake(self, workflow_id: str, news: News) -> None:
        """Signal a send; nobody there is fine: the sweeper looks after it."""
        if monotonic() < self._skip_until:
            return
        try:
            await asyncio.wait_for(wake_send(self._client, workflow_id, news), _PATIENCE)
        except (TimeoutError, RPCError, RuntimeError) as error:
            self._failed(error)

    async def provision(self, user: ProvisionInput) -> None:
        """Start what tells a directory of a SIP user; running and out of reach are fine."""
        if monotonic() < self._skip_until:
            return
        try:
            await asyncio.wait_for(start_provisioning(self._client, user), _PATIENCE)
        except (TimeoutError, RPCError, RuntimeError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._skip_until = monotonic() + _SKIP
        log.warning("Temporal is out of reach", extra={"reason": type(error).__name__})
