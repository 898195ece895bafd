"""Reads batches: their progress and their lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlmodel import col

from models.enums import BatchStatus, Channel, MessageStatus
from models.queries.tenants.visibility import CallerScope, visible_batches
from models.rules.messages.batches.status import status_of
from models.session import ReadSession, WriteSession
from models.tables.base import row_id
from models.tables.batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A batch as it is now."""

    public_id: int
    channel: Channel
    total: int
    accepted: int
    refused: int
    counts: Mapping[MessageStatus, int]
    """Its messages by status; statuses without messages are missing."""
    open_messages: int
    created_at: datetime
    decided_at: datetime | None
    canceled_at: datetime | None
    last_completed_at: datetime | None

    @property
    def status(self) -> BatchStatus:
        """Its status."""
        return status_of(
            decided_at=self.decided_at,
            canceled_at=self.canceled_at,
            open_messages=self.open_messages,
        )

    @property
    def completed_at(self) -> datetime | None:
        """When its last message was completed or its last line refused; None until then."""
        if self.decided_at is None or self.open_messages:
            return None
        return max(self.decided_at, self.last_completed_at or self.decided_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLine:
    """A line of a batch; without message and refusal it is not decided."""

    line: int
    message: int | None
    """Public id."""
    refusal_code: str | None
    refusal_detail: str | None


async def find_batch(
    db: ReadSession | WriteSession, scope: CallerScope, public_id: int, *, locked: bool = False
) -> tuple[Batch, str] | None:
    """Return a batch with its merchant's external id; None if the caller sees no such batch.

    With `locked`, the row is locked until the transaction ends.
    """
    statement = visible_batches(scope).where(col(Batch.public_id) == public_id)
    if locked:
        statement = statement.with_for_update(of=Batch)
    row = (await db.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def list_batches(
    db: ReadSession | WriteSession, scope: CallerScope, *, most: int
) -> Sequence[tuple[Batch, str]]:
    """Return batches with their merchants' external ids, the newest first."""
    statement = visible_batches(scope).order_by(col(Batch.id).desc()).limit(most)
    return [(row[0], row[1]) for row in await db.execute(statement)]


# One statement, so that lines and messages are counted at the same time.
_PROGRESS: Final = text(
    """
    SELECT b.public_id, b.channel, b.total, b.accepted, b.refused, b.created_at, b.decided_at,
           b.canceled_at, counted.statuses, counted.open_messages, counted.last_completed_at
      FROM batch b
     CROSS JOIN LATERAL (
           SELECT COALESCE(jsonb_object_agg(status, number), '{}') AS statuses,
                  CAST(COALESCE(sum(open), 0) AS integer) AS open_messages,
                  max(completed_at) AS last_completed_at
             FROM (SELECT status, count(*) AS number,
                          count(*) FILTER (WHERE completed_at IS NULL) AS open,
                          max(completed_at) AS completed_at
                     FROM message
                    WHERE tenant_id = b.tenant_id AND batch_id = b.id
                    GROUP BY status) AS messages) AS counted
     WHERE b.tenant_id = :tenant_id AND b.id = :batch_id
    """
)


async def read_progress(db: ReadSession | WriteSession, batch: Batch) -> Progress:
    """Return a batch as it is now."""
    values = {"tenant_id": batch.tenant_id, "batch_id": row_id(batch.id)}
    row = (await db.execute(_PROGRESS, values)).one()
    return Progress(
        public_id=row.public_id,
        channel=Channel(row.channel),
        total=row.total,
        accepted=row.accepted,
        refused=row.refused,
        counts={MessageStatus(status): number for status, number in row.statuses.items()},
        open_messages=row.open_messages,
        created_at=row.created_at,
        decided_at=row.decided_at,
        canceled_at=row.canceled_at,
        last_completed_at=row.last_completed_at,
    )


_LINES: Final = text(
    """
    SELECT bl.line, m.public_id AS message, bl.refusal_code, bl.refusal_detail
      FROM batch_line bl
      LEFT JOIN message m ON m.tenant_id = bl.tenant_id AND m.id = bl.message_id
     WHERE bl.tenant_id = :tenant_id AND bl.batch_id = :batch_id AND bl.line > :after
     ORDER BY bl.line LIMIT :most
    """
)


async def list_lines(
    db: ReadSession, batch: Batch, *, after: int, most: int
) -> Sequence[FoundLine]:
    """Return lines of a batch in order; `after` is the last line of the previous page, or 0."""
    values = {"tenant_id": batch.tenant_id, "batch_id": row_id(batch.id)}
    rows = await db.execute(_LINES, {**values, "after": after, "most": most})
    return [
        FoundLine(
            line=row.line,
            message=row.message,
            refusal_code=row.refusal_code,
            refusal_detail=row.refusal_detail,
        )
        for row in rows
    ]


_HAS_OPEN: Final = text(
    """
    SELECT EXISTS (SELECT FROM message
                    WHERE tenant_id = :tenant_id AND batch_id = :batch_id AND completed_at IS NULL)
    """
)


async def has_open_messages(db: WriteSession, batch: Batch) -> bool:
    """Return whether a message of a batch is not completed."""
    values = {"tenant_id": batch.tenant_id, "batch_id": row_id(batch.id)}
    return bool(await db.scalar(_HAS_OPEN, values))
