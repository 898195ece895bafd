"""Starts and signals workflows from the API; the sweeper repeats what fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cached_property
from typing import Final

from temporalio.client import Client

from api.start_queue import OTP, Failure, Reachability, StartQueue
from models.rules.messages.batches.identity import BatchStart
from models.rules.messages.identity import SendStart
from models.rules.messages.priorities import priority_of
from models.rules.waits import PaymentWaits, RegistrationWaits, SendWaits
from workflows.billing.start import UpgradeStart, start_upgrade, wake_upgrade
from workflows.messages.batches.start import start_batch
from workflows.messages.start import SendSignal, start_send, wake_send
from workflows.registration.start import RegistrationStart, start_registration, wake_registration
from workflows.voice.start import start_provisioning
from workflows.voice.types import ProvisionInput

log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds a request waits for Temporal; with `rpc_timeout` alone an unreachable server takes
nine.
"""

_START_WITHIN: Final = timedelta(seconds=2)


class Bounded:
    """Calls Temporal with a timeout and the circuit breaker; the sweeper repeats what fails."""

    @cached_property
    def _reachability(self) -> Reachability:
        return Reachability()

    async def _ask(self, call: Callable[[], Awaitable[object]]) -> None:
        """Make one call unless Temporal is unreachable; failures are logged, not raised."""
        if not self._reachability.may_ask():
            return
        try:
            await asyncio.wait_for(call(), _PATIENCE)
        except Failure as error:
            self._reachability.failed()
            log.warning("Temporal is unreachable", extra={"reason": type(error).__name__})
        else:
            self._reachability.answered()


class WorkflowStarter(Bounded):
    """Starts and signals the workflows of sends.

    What is not started within `start_within` of its acceptance, the sweeper starts.
    """

    def __init__(
        self,
        client: Client,
        waits: SendWaits,
        on_started: Callable[[SendStart], None] = lambda _: None,
        *,
        start_within: timedelta = _START_WITHIN,
    ) -> None:
        self._client = client
        self._queue: StartQueue[SendStart] = StartQueue(
            lambda send: start_send(client, send, waits),
            self._reachability,
            priority=lambda send: priority_of(send.type),
            start_within=start_within.total_seconds(),
            on_started=on_started,
        )

    def start(self, send: SendStart) -> None:
        """Start the workflow of a committed send beside the caller, which does not wait.

        Idempotent; an unreachable server is not an error.
        """
        self._queue.start(send)

    async def close(self) -> None:
        """Finish pending starts for a bounded time; the sweeper has the rest."""
        await self._queue.close()

    async def wake(self, workflow_id: str, signal: SendSignal) -> None:
        """Signal a send. A missing workflow is not an error: the sweeper handles the message."""
        await self._ask(lambda: wake_send(self._client, workflow_id, signal))

    async def provision(self, user: ProvisionInput) -> None:
        """Start the workflow that updates the SIP directory. Idempotent; failures are not
        raised.
        """
        await self._ask(lambda: start_provisioning(self._client, user))


class BatchStarter(Bounded):
    """Starts the workflows of batches."""

    def __init__(self, client: Client, waits: SendWaits) -> None:
        self._client = client
        self._waits = waits

    async def start(self, batch: BatchStart) -> None:
        """Start the workflow of a batch. Idempotent; an unreachable server is not an error."""
        await self._ask(lambda: start_batch(self._client, batch, self._waits))

    async def cancel(self, batch: BatchStart) -> None:
        """Have the workflow of a batch cancel its messages. Idempotent; failures are not raised."""
        await self._ask(lambda: start_batch(self._client, batch, self._waits, canceled=True))


class UpgradeStarter(Bounded):
    """Starts and signals the workflows of upgrades.

    What is not started within `start_within` of its acceptance, the sweeper starts.
    """

    def __init__(
        self, client: Client, waits: PaymentWaits, *, start_within: timedelta = _START_WITHIN
    ) -> None:
        self._client = client
        self._queue: StartQueue[UpgradeStart] = StartQueue(
            lambda upgrade: start_upgrade(client, upgrade, waits),
            self._reachability,
            priority=lambda _: OTP,  # a person waits for each, as for an OTP
            start_within=start_within.total_seconds(),
        )

    def start(self, upgrade: UpgradeStart) -> None:
        """Start the workflow of a committed upgrade beside the caller, which does not wait.

        Idempotent; an unreachable server is not an error.
        """
        self._queue.start(upgrade)

    async def close(self) -> None:
        """Finish pending starts for a bounded time; the sweeper has the rest."""
        await self._queue.close()

    async def wake(self, workflow_id: str) -> None:
        """Signal an upgrade. A missing workflow is not an error: the sweeper handles the
        upgrade.
        """
        await self._ask(lambda: wake_upgrade(self._client, workflow_id))


class RegistrationStarter(Bounded):
    """Starts and signals the workflows of brands, campaigns and numbers."""

    def __init__(self, client: Client, waits: RegistrationWaits) -> None:
        self._client = client
        self._waits = waits

    async def start(self, registration: RegistrationStart, *, fresh: bool) -> None:
        """Ensure that a workflow runs; `fresh` if its row was submitted by this request."""
        await self._ask(
            lambda: start_registration(self._client, registration, self._waits, fresh=fresh)
        )

    async def wake(self, workflow_id: str) -> None:
        """Signal a workflow that its row changed. A missing workflow is not an error."""
        await self._ask(lambda: wake_registration(self._client, workflow_id))
