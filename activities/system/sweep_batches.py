"""Sweeps batches: starts the workflows of those with open work that have none."""

from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from models.queries.system.sweep_batches import StalledBatch, take_stalled_batches
from models.rules.waits import SendWaits
from models.session import Database
from workflows.messages.batches.start import start_batch

_LONGEST_GAP: Final = timedelta(minutes=10)


class BatchSweep:
    """Restarts batches that may have no running workflow. Idempotent."""

    def __init__(
        self, database: Database, client: Client, waits: SendWaits, *, grace: timedelta
    ) -> None:
        self._database = database
        self._client = client
        self._waits = waits
        self._grace = grace

    async def take(self, now: datetime, most: int) -> list[StalledBatch]:
        """Return the batches that are due, and set when they are due next."""
        async with self._database.transaction() as db:
            return list(
                await take_stalled_batches(
                    db, now=now, grace=self._grace, longest=_LONGEST_GAP, most=most
                )
            )

    async def resume(self, batch: StalledBatch) -> bool:
        """Start a batch's workflow; a running one is left alone, or signaled if it is canceled.

        A completed workflow is started again: its row says that work is open.
        """
        return await start_batch(
            self._client,
            batch.start,
            self._waits,
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            canceled=batch.canceled,
        )
