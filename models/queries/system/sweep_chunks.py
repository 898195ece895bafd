"""Finds chunks with members that may have no running workflow."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from models.enums import Channel, MessageType
from models.rules.messages.batches.identity import ChunkStart
from models.session import WriteSession

# The interval between sweeps of a member grows with its age, as that of other messages.
_SWEEP = text(
    """
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
    SELECT c.tenant_id, c.id, c.public_id, c.merchant_id, c.channel, c.type, c.due_at,
           tenant.public_id AS tenant_public_id, merchant.external_id AS merchant,
           (SELECT count(*) FROM message m
             WHERE m.tenant_id = c.tenant_id AND m.chunk_id = c.id) AS members,
           (SELECT count(*) FROM taken) AS taken
      FROM (SELECT DISTINCT tenant_id, chunk_id FROM taken) swept
      JOIN message_chunk c ON c.tenant_id = swept.tenant_id AND c.id = swept.chunk_id
      JOIN tenant ON tenant.id = c.tenant_id
      JOIN merchant ON merchant.tenant_id = c.tenant_id AND merchant.id = c.merchant_id
    """
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
    chunks = [
        ChunkStart(
            tenant_id=row.tenant_id,
            tenant_public_id=row.tenant_public_id,
            chunk_id=row.id,
            public_id=row.public_id,
            merchant_id=row.merchant_id,
            merchant=row.merchant,
            channel=Channel(row.channel),
            type=MessageType(row.type),
            due_at=row.due_at,
            members=row.members,
        )
        for row in rows
    ]
    return chunks, bool(rows) and rows[0].taken == most
