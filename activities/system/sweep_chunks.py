"""Sweeps chunks: starts the workflows of those whose members may have no running workflow."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from models.queries.system import sweep_chunks
from models.rules.messages.batches.identity import ChunkStart
from models.rules.waits import SendWaits
from models.session import Database
from workflows.messages.batches.start_chunk import start_chunk

_LONGEST_GAP: Final = timedelta(minutes=10)

_STARTS_AT_ONCE: Final = 20

_START_PATIENCE: Final = 3.0
"""Timeout of one start in seconds."""


class ChunkSweep:
    """Sweeps members that are still in their chunk.

    A chunk whose workflow has ended is started again. It sends or settles the members that are
    left, or they leave it.
    """

    def __init__(
        self, database: Database, client: Client, waits: SendWaits, *, grace: timedelta
    ) -> None:
        self._database = database
        self._client = client
        self._waits = waits
        self._grace = grace
        self._starts = asyncio.Semaphore(_STARTS_AT_ONCE)

    async def take(self, now: datetime, most: int) -> list[ChunkStart]:
        """Return chunks with members that are due for sweeping: at least `most`, or all of them.

        One transaction takes up to `most` members, which may be those of a few chunks only.
        """
        found: dict[str, ChunkStart] = {}
        may_be_more = True
        while may_be_more and len(found) < most:
            async with self._database.transaction() as db:
                chunks, may_be_more = await sweep_chunks.take_stalled_chunks(
                    db, now=now, grace=self._grace, longest=_LONGEST_GAP, most=most
                )
            found |= {chunk.workflow_id: chunk for chunk in chunks}
        return list(found.values())

    async def resume(self, chunk: ChunkStart) -> bool:
        """Start a chunk's workflow unless it is running."""
        async with self._starts:
            started = start_chunk(
                self._client, chunk, self._waits, reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE
            )
            return await asyncio.wait_for(started, _START_PATIENCE)
