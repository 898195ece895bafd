"""Finds chunks with members that may have no running workflow."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from models.queries.messages.batches.chunk_identity import (
    CHUNK_OWNERS,
    CHUNK_START,
    chunk_start_of,
)
from models.rules.messages.batches.identity import ChunkStart
from models.session import WriteSession

# The interval between sweeps of a member grows with its age, as that of other messages.
_SWEEP = text(
    f"""
    WITH stalled AS (
        SELECT tenant_id, id FROM message
         WHERE completed_at IS NULL AND sweep_at <= :now AND chunk_id IS NOT NULL
         ORDER BY sweep_at LIMIT :most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE message m
           SET sweep_at = GREATEST(m.due_at, :now)
                        + LEAST(GREATEST(CAST(:grace AS interval), (:now - m.due_at) / 2),
                                CAST(:longest AS interval))
          FROM stalled
         WHERE m.tenant_id = stalled.tenant_id AND m.id = stalled.id
        RETURNING m.tenant_id, m.chunk_id
    )
    SELECT {CHUNK_START},
           (SELECT count(*) FROM taken) AS taken
      FROM (SELECT DISTINCT tenant_id, chunk_id FROM taken) swept
      JOIN message_chunk c ON c.tenant_id = swept.tenant_id AND c.id = swept.chunk_id
      {CHUNK_OWNERS}
    """  # noqa: S608 - every value is a parameter
)


async def take_stalled_chunks(
    db: WriteSession, *, now: datetime, grace: timedelta, longest: timedelta, most: int
) -> tuple[Sequence[ChunkStart], bool]:
    """Return the chunks of members that are due for sweeping, and schedule their next sweep.

    `most` is the limit of members, of which a chunk has up to a hundred. The second value is
    whether it was reached, so that more may be due.
    """
    named = {"now": now, "grace": grace, "longest": longest, "most": most}
    rows = (await db.execute(_SWEEP, named)).all()
    chunks = [chunk_start_of(row) for row in rows]
    return chunks, bool(rows) and rows[0].taken == most
