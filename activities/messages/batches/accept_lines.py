"""The step that accepts the lines of a batch."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Final, Protocol

from temporalio import activity

from models.queries.messages.batches import new_chunks
from models.rules.messages.batches.acceptance import BatchKey, DecidedPage
from models.rules.messages.batches.identity import ChunkStart
from models.rules.waits import SendWaits
from models.session import Database
from workflows.heartbeat import heartbeats
from workflows.messages.batches.types import AcceptLinesResult, AcceptLinesStep

_PAGES: Final = 5
"""Pages of one run; more runs follow."""

_AT_ONCE: Final = 2
"""Batches whose lines one worker accepts at the same time: it takes processor time."""

_TURN_LATER: Final = timedelta(seconds=1)
"""When a batch is tried again that a busy worker does not accept; until then it holds no slot."""

_CLOCKS_APART: Final = timedelta(minutes=1)
"""How far the clocks of Temporal and of the workers may differ."""


class LineAcceptance(Protocol):
    """Decides the lines of batches."""

    async def accept_page(self, batch: BatchKey) -> DecidedPage:
        """Decide the next lines of a batch in one transaction. Idempotent."""
        ...


StartChunk = Callable[[ChunkStart, SendWaits], Awaitable[object]]
"""Starts the workflow of a chunk unless it runs. Idempotent."""


class AcceptingLines:
    """Accepts or refuses the lines of batches, and starts the chunks of their messages."""

    def __init__(
        self, database: Database, acceptance: LineAcceptance, start_chunk: StartChunk
    ) -> None:
        self._database = database
        self._acceptance = acceptance
        self._start_chunk = start_chunk
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @activity.defn(name="accept_lines")
    async def accept_lines(self, step: AcceptLinesStep) -> AcceptLinesResult:
        """Decide a few pages of lines. Idempotent: a page is decided in one transaction.

        If an earlier try of this activity died between a page and the start of its chunks, they are
        started here. The sweeper starts the messages of chunks that were never started.
        """
        batch = BatchKey(tenant_id=step.tenant_id, batch_id=step.batch_id, public_id=step.public_id)
        async with heartbeats():
            if activity.info().attempt > 1:
                await self._start(await self._earlier_chunks(batch), step.waits)
            if self._turns.locked():
                return AcceptLinesResult(wait=_TURN_LATER)
            async with self._turns:
                return await self._accept(batch, step.waits)

    async def _accept(self, batch: BatchKey, waits: SendWaits) -> AcceptLinesResult:
        """Decide pages, and start the chunks of each."""
        accepted = refused = 0
        for _ in range(_PAGES):
            page = await self._acceptance.accept_page(batch)
            accepted += page.accepted
            refused += page.refused
            await self._start(page.chunks, waits)
            if not page.goes_on:
                break
        return AcceptLinesResult(
            accepted=accepted,
            refused=refused,
            decided=page.decided,
            canceled=page.canceled,
            wait=None if page.retry_after is None else timedelta(seconds=page.retry_after),
        )

    async def _earlier_chunks(self, batch: BatchKey) -> list[ChunkStart]:
        """Return the chunks that earlier tries of this activity added."""
        since = activity.info().scheduled_time - _CLOCKS_APART
        async with self._database.read() as db:
            return await new_chunks.find_chunks(
                db, tenant_id=batch.tenant_id, batch_id=batch.batch_id, since=since
            )

    async def _start(self, chunks: Iterable[ChunkStart], waits: SendWaits) -> None:
        await asyncio.gather(*(self._start_chunk(chunk, waits) for chunk in chunks))
