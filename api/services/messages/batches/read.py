"""Reads batches and their lines for callers."""

from collections.abc import Mapping

from api.http.auth import Caller
from api.http.pagination import Page, Slice
from api.http.public_ids import read_public_id
from api.schemas.batches import BatchCounts, BatchLineError, BatchLineView, BatchView
from models.batch_errors import BatchNotFound
from models.enums import MessageStatus
from models.queries.messages.batches.read import (
    FoundLine,
    Progress,
    find_batch,
    list_lines,
    read_progress,
)
from models.session import Database


class Batches:
    """Queries of batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, batch_id: str) -> BatchView:
        """Return a batch; raises BatchNotFound."""
        return await self.view(caller, read_batch_id(batch_id))

    async def view(self, caller: Caller, public_id: int) -> BatchView:
        """Return a batch by its public id; raises BatchNotFound."""
        async with self._database.read() as db:
            found = await find_batch(db, caller, public_id)
            if found is None:
                raise BatchNotFound
            batch, merchant = found
            return _view(merchant, await read_progress(db, batch))

    async def list_lines(self, caller: Caller, batch_id: str, page: Page) -> Slice[BatchLineView]:
        """Return a page of lines in order; raises BatchNotFound. Cursors are line numbers."""
        public_id = read_batch_id(batch_id)
        async with self._database.read() as db:
            found = await find_batch(db, caller, public_id)
            if found is None:
                raise BatchNotFound
            lines = await list_lines(db, found[0], after=page.after_id() or 0, most=page.limit + 1)
        cut = page.cut(lines, lambda line: line.line)
        return Slice([_line_view(line) for line in cut.items], cut.end)


def read_batch_id(given: str) -> int:
    """Parse the public id of a batch; raise BatchNotFound if it is not a valid one."""
    public_id = read_public_id(given)
    if public_id is None:
        raise BatchNotFound
    return public_id


def _view(merchant: str, progress: Progress) -> BatchView:
    return BatchView(
        batch_id=str(progress.public_id),
        merchant_id=merchant,
        channel=progress.channel,
        status=progress.status,
        total=progress.total,
        accepted=progress.accepted,
        refused=progress.refused,
        counts=_counts(progress.counts),
        created_at=progress.created_at,
        completed_at=progress.completed_at,
    )


def _counts(counts: Mapping[MessageStatus, int]) -> BatchCounts:
    return BatchCounts(**{status.lower(): counts.get(status, 0) for status in MessageStatus})


def _line_view(line: FoundLine) -> BatchLineView:
    error = None
    if line.refusal_code is not None:
        error = BatchLineError(code=line.refusal_code, detail=line.refusal_detail or "")
    return BatchLineView(
        line=line.line,
        message_id=None if line.message is None else str(line.message),
        error=error,
    )
