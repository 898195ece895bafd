"""Cancels batches: undecided lines are refused, waiting messages canceled, by the workflow."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import BaseModel

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest, find_answer, store_answer
from api.http.outcomes import Accepted, Outcome, Replayed
from api.schemas.batches import BatchView
from api.services.messages.batches.read import Batches, read_batch_id
from api.workflow_starters import BatchStarter
from models.batch_errors import BatchNotFound
from models.errors import NotCancelable
from models.queries.messages.batches.identity import find_start
from models.queries.messages.batches.read import find_batch, has_open_messages
from models.session import Database, WriteSession
from models.tables.base import row_id
from models.tables.batch import Batch

_ENDED = "All messages of the batch have ended."


class _Bound(BaseModel):
    """What is stored for a key."""

    batch_id: str


class BatchCanceling:
    """Executes requests to cancel a batch; a repeated one returns the current state."""

    def __init__(
        self,
        database: Database,
        starter: BatchStarter,
        reads: Batches,
        *,
        start_within: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._starter = starter
        self._reads = reads
        self._start_within = start_within
        self._clock = clock

    async def cancel(
        self, caller: Caller, batch_id: str, request: IdempotentRequest
    ) -> Outcome[BatchView]:
        """Cancel a batch; one that was canceled before is returned unchanged.

        Raises:
            BatchNotFound, NotCancelable, IdempotencyKeyReused.
        """
        public_id = read_batch_id(batch_id)
        async with self._database.transaction(caller.lock_scope(work=request.route)) as db:
            known = await find_answer(db, caller, request) is not None
            batch = await self._mark(db, caller, public_id)
            if not known:
                await store_answer(db, caller, request, _Bound(batch_id=batch_id), self._clock())
            start = await find_start(db, caller.tenant_id, row_id(batch.id))
            has_work = batch.sweep_at is not None
        if has_work:
            await self._starter.cancel(start)
        view = await self._reads.view(caller, public_id)
        return Replayed(view) if known else Accepted(view)

    async def _mark(self, db: WriteSession, caller: Caller, public_id: int) -> Batch:
        """Mark a batch as canceled; return its row as it is then."""
        found = await find_batch(db, caller, public_id, locked=True)
        if found is None:
            raise BatchNotFound
        batch, _ = found
        if batch.canceled_at is None:
            if batch.decided_at is not None and not await has_open_messages(db, batch):
                raise NotCancelable(_ENDED)
            now = self._clock()
            batch.canceled_at = now
            batch.sweep_at = now + self._start_within
        return batch
