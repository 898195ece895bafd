"""Accepts the lines of batches page by page, as single sends one after another would be."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final

from sqlalchemy.exc import DBAPIError

from api.http.auth import Caller
from api.services.messages.admission import Admission
from api.services.messages.batches.decide import (
    KeysUsed,
    PageOutcome,
    PageOvertaken,
    decide_page,
)
from api.services.messages.batches.line_reading import SINGLE_SENDS, ReadLine, read_line
from api.services.messages.batches.page import PreparedLine
from api.services.messages.batches.page_lines import independent, short, timed, unprocessable
from api.services.messages.new_messages import message_of
from api.services.messages.permission import Permission, Permissions
from api.services.messages.write import warn_of_held_credits
from models.database.faults import public_id_taken
from models.database.transaction_limits import LockScope
from models.enums import MessageType
from models.errors import HexavoxError, TooManyOpen
from models.queries.alerts.threshold_alerts import Account
from models.queries.messages.batches import decisions, pages
from models.queries.messages.batches.pages import FoundBatch, StoredLine
from models.rules.messages.batches.acceptance import (
    BATCH_CANCELED,
    CANCELED_DETAIL,
    PAGE,
    BatchKey,
    DecidedPage,
    together,
)
from models.rules.system.failures import TransientError, caused_by_input
from models.session import Database

log = logging.getLogger(__name__)

_TRIES: Final = 4
"""Of a page that another transaction overtook."""

_MOST_CANCELED: Final = 1000
"""Lines of a canceled batch that one transaction refuses."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BatchAcceptance:
    """Accepts or refuses the lines of batches.

    A line is checked by the same code as a single send. The checks come before the transaction, as
    for single sends, so that the locks of the merchant's funds are held briefly.
    """

    def __init__(
        self,
        database: Database,
        permissions: Permissions,
        admission: Admission,
        *,
        grace: timedelta,
        page: int = PAGE,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """`grace` is after how long the sweeper looks after new messages and undecided batches.

        `page` is the number of lines that one transaction decides.
        """
        self._database = database
        self._permissions = permissions
        self._admission = admission
        self._grace = grace
        self._page = page
        self._clock = clock

    async def accept_page(self, batch: BatchKey) -> DecidedPage:
        """Decide the next lines of a batch in one transaction. Idempotent.

        If that fails because of what is in a line, each line is decided alone, and refused if that
        fails too. Other failures are raised, and nothing is decided.
        """
        try:
            return await self._accept(batch, most=self._page)
        except Exception as error:
            _check_cause(error)
        alone = [await self._accept_one(batch)]
        while alone[-1].goes_on and len(alone) < self._page:
            alone.append(await self._accept_one(batch))
        return together(alone)

    async def _accept_one(self, batch: BatchKey) -> DecidedPage:
        """Decide the next line of a batch; it is refused if that fails because of it."""
        async with self._database.read() as db:
            found = await pages.find_batch(db, batch)
        try:
            return await self._accept(batch, most=1)
        except Exception as error:
            _check_cause(error)
        return await self._accept(batch, most=1, failed=None if found is None else found.next_line)

    async def _accept(
        self, batch: BatchKey, *, most: int, failed: int | None = None
    ) -> DecidedPage:
        """Decide lines; the line that `failed` is refused if it is still the next one."""
        for _ in range(_TRIES):
            async with self._database.read() as db:
                found = await pages.find_batch(db, batch)
                if found is None:
                    return DecidedPage(decided=True)
                stored = await pages.next_lines(db, found, most=most)
            if found.canceled:
                return await self._refuse_rest(found)
            if not stored:
                return DecidedPage(decided=True)
            now = self._clock()
            if failed == found.next_line:
                prepared = [unprocessable(found, line) for line in stored]
            else:
                read = await self._read(found, short(stored))
                admitted, retry_after = self._admitted(found, read)
                if not admitted:
                    return DecidedPage(retry_after=retry_after)
                prepared = await self._prepare(found, independent(found, admitted), now)
            outcome = await self._decide(found, prepared, now)
            if outcome is not None:
                return outcome.page
        raise TransientError("the lines were decided by another transaction again and again")

    async def _read(self, batch: FoundBatch, stored: Sequence[StoredLine]) -> list[ReadLine]:
        """Read the lines; other tasks run in between, because a line may be long."""
        read = []
        for line in stored:
            await asyncio.sleep(0)
            read.append(read_line(batch, line, self._database.contact_keys))
        return read

    def _admitted(
        self, batch: FoundBatch, read: Sequence[ReadLine]
    ) -> tuple[list[ReadLine], int | None]:
        """Return the lines up to the first one that may not be accepted now, and when it may.

        The limit of open messages is checked before a page, which may exceed it by its length.
        """
        refusals: dict[MessageType, TooManyOpen] = {}
        for type in {line.draft.type for line in read if line.draft is not None}:
            try:
                self._admission.check(batch.tenant_id, type)
            except TooManyOpen as error:
                refusals[type] = error
        admitted = list(
            takewhile(lambda line: line.draft is None or line.draft.type not in refusals, read)
        )
        waits = [refusal.retry_after for refusal in refusals.values()]
        return admitted, min(waits, default=None)

    async def _prepare(
        self, batch: FoundBatch, read: Sequence[ReadLine], now: datetime
    ) -> list[PreparedLine]:
        """Check the lines against policy; return those that are permitted with their message."""
        caller = _caller_of(batch)
        checked = [timed(line, now) for line in read]
        drafts = [line.draft for line, _ in checked if line.draft is not None]
        wanted = [at for line, at in checked if line.draft is not None]
        permissions = iter(await self._permissions.obtain_each(caller, drafts, wanted))
        prepared = []
        for line, wanted_at in checked:
            permission = line.refused if line.draft is None else next(permissions)
            message = None
            if line.draft is not None and isinstance(permission, Permission):
                message = message_of(
                    caller,
                    line.draft,
                    permission,
                    line.request,
                    now=now,
                    wanted_at=wanted_at,
                    sweep_at=now + self._grace,
                )
            prepared.append(
                PreparedLine(
                    line=line.line,
                    request=line.request,
                    message=message,
                    refused=permission if isinstance(permission, HexavoxError) else None,
                )
            )
        return prepared

    async def _decide(
        self, batch: FoundBatch, lines: Sequence[PreparedLine], now: datetime
    ) -> PageOutcome | None:
        """Decide the lines in one transaction; None if they have to be read again."""
        lock_scope = LockScope(batch.tenant_id, batch.merchant_id, "batch")
        try:
            try:
                outcome = await self._write(batch, lines, now, lock_scope, look_up=False)
            except KeysUsed:
                outcome = await self._write(batch, lines, now, lock_scope, look_up=True)
        except PageOvertaken:
            return None
        except DBAPIError as error:
            if public_id_taken(error):
                return None
            raise
        for _ in range(outcome.added):
            self._admission.note(batch.tenant_id)
        if outcome.unfunded:
            account = Account(
                tenant_id=batch.tenant_id, merchant_id=batch.merchant_id, channel=batch.channel
            )
            await warn_of_held_credits(self._database, account, now, lock_scope)
        return outcome

    async def _write(
        self,
        batch: FoundBatch,
        lines: Sequence[PreparedLine],
        now: datetime,
        lock_scope: LockScope,
        *,
        look_up: bool,
    ) -> PageOutcome:
        operation = SINGLE_SENDS[batch.channel].operation
        async with self._database.transaction(lock_scope) as db:
            return await decide_page(
                db, batch, operation, lines, now=now, grace=self._grace, look_up=look_up
            )

    async def _refuse_rest(self, batch: FoundBatch) -> DecidedPage:
        """Refuse the next lines of a canceled batch."""
        now = self._clock()
        async with self._database.transaction() as db:
            refused, decided = await decisions.refuse_next(
                db,
                batch,
                code=BATCH_CANCELED,
                detail=CANCELED_DETAIL,
                most=_MOST_CANCELED,
                now=now,
                sweep_at=now + self._grace,
            )
        return DecidedPage(refused=refused, decided=decided, canceled=True)


def _check_cause(error: Exception) -> None:
    """Raise the error unless it was caused by what is in the lines."""
    if not caused_by_input(error):
        raise error
    log.error("lines of a batch failed because of their input", exc_info=error)


def _caller_of(batch: FoundBatch) -> Caller:
    """Return the caller that sent the batch, as far as its lines depend on it."""
    is_merchant = batch.scope != ""
    return Caller(
        tenant_id=batch.tenant_id,
        merchant_id=batch.merchant_id if is_merchant else None,
        key_id=0,
        tenant_public_id=batch.tenant_public_id,
        merchant_public_id=batch.merchant_public_id if is_merchant else None,
        merchant=batch.merchant if is_merchant else None,
        countries=batch.countries,
    )
