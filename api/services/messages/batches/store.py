"""Stores a batch with its lines in one transaction, then starts its workflow."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest
from api.http.outcomes import Accepted, Outcome, Replayed
from api.schemas.batches import BatchView
from api.services.messages.batches.read import Batches
from api.services.messages.batches.receive import ReceivedBatch
from api.workflow_starters import BatchStarter
from models import logs
from models.batch_errors import TooManyBatches
from models.errors import MerchantInactive
from models.queries.messages.batches import store
from models.queries.messages.batches.identity import find_start
from models.queries.messages.batches.store import KnownBatch, NewBatch, NewLine
from models.queries.tenants.visibility import get_merchant
from models.rules.messages.batches.identity import BatchStart
from models.rules.messages.batches.keys import key_base
from models.rules.messages.operations import SEND_BATCH
from models.session import Database, ReadSession, WriteSession
from models.tables.base import row_id

MOST_UNDECIDED: Final = 2
"""Batches of a tenant that may have undecided lines, whose bodies are stored until then."""

_LINES_AT_ONCE: Final = 1000
_CHARACTERS_AT_ONCE: Final = 1024 * 1024
"""Of one statement, so that none is long; a single line may have more."""


class BatchStoring:
    """Stores batches; workers accept their lines later."""

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

    async def accept(
        self, caller: Caller, received: ReceivedBatch, request: IdempotentRequest
    ) -> Outcome[BatchView]:
        """Store a batch, or return the one that was stored under its key.

        Raises:
            MerchantNotFound, MerchantInactive, IdempotencyKeyReused, TooManyBatches.
        """
        async with self._database.read() as db:
            known = await self._find_known(db, caller, request)
        if known is None:
            stored = await self._store(caller, received, request)
            if isinstance(stored, BatchStart):
                await self._start(stored)
                return Accepted(await self._reads.view(caller, stored.public_id))
            known = stored
        if known.has_work:
            await self._start(known.start)
        return Replayed(await self._reads.view(caller, known.start.public_id))

    async def _find_known(
        self, db: ReadSession | WriteSession, caller: Caller, request: IdempotentRequest
    ) -> KnownBatch | None:
        """Return the batch of a key; raises IdempotencyKeyReused if it is another one."""
        if request.key is None:
            return None
        known = await store.find_known(
            db,
            tenant_id=caller.tenant_id,
            scope=request.scope,
            idempotency_key=request.key,
        )
        if known is not None:
            request.check_same(known.fingerprint)
        return known

    async def _store(
        self, caller: Caller, received: ReceivedBatch, request: IdempotentRequest
    ) -> BatchStart | KnownBatch:
        """Store a batch; return the other one if a concurrent request stored its key first."""
        lock_scope = caller.lock_scope(received.merchant, SEND_BATCH)
        async with self._database.transaction(lock_scope) as db:
            merchant = await get_merchant(db, caller, received.merchant)
            if not merchant.active:
                raise MerchantInactive
            await store.lock_undecided(db, caller.tenant_id)
            known = await self._find_known(db, caller, request)
            if known is not None:
                return known
            if await store.count_undecided(db, caller.tenant_id) >= MOST_UNDECIDED:
                raise TooManyBatches
            batch = self._new(caller, received, request, row_id(merchant.id))
            batch_id = await store.insert_batch(db, batch)
            await _insert_lines(db, caller.tenant_id, batch_id, received)
            return await find_start(db, caller.tenant_id, batch_id)

    def _new(
        self,
        caller: Caller,
        received: ReceivedBatch,
        request: IdempotentRequest,
        merchant_id: int,
    ) -> NewBatch:
        now = self._clock()
        return NewBatch(
            tenant_id=caller.tenant_id,
            merchant_id=merchant_id,
            channel=received.channel,
            scope=request.scope,
            idempotency_key=request.key,
            fingerprint=request.fingerprint,
            key_base=None if request.key is None else key_base(request.key),
            total=len(received.lines),
            created_at=now,
            sweep_at=now + self._start_within,
        )

    async def _start(self, batch: BatchStart) -> None:
        logs.workflow_id.set(batch.workflow_id)
        await self._starter.start(batch)


async def _insert_lines(
    db: WriteSession, tenant_id: int, batch_id: int, received: ReceivedBatch
) -> None:
    before = 0
    for lines in _portions(received):
        await store.insert_lines(
            db, tenant_id=tenant_id, batch_id=batch_id, before=before, lines=lines
        )
        before += len(lines)


def _portions(received: ReceivedBatch) -> Iterator[Sequence[NewLine]]:
    """Divide the lines among statements."""
    portion: list[NewLine] = []
    size = 0
    for line in received.lines:
        if portion and (
            len(portion) == _LINES_AT_ONCE or size + len(line.text) > _CHARACTERS_AT_ONCE
        ):
            yield portion
            portion, size = [], 0
        portion.append(NewLine(line.text, line.key))
        size += len(line.text)
    yield portion
