"""Adds the chunks of a page's messages, and finds those that may not be started."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import text

from models.enums import Channel, MessageType
from models.queries.messages.batches.pages import FoundBatch
from models.rules.messages.batches.acceptance import Group
from models.rules.messages.batches.identity import ChunkStart
from models.session import ReadSession, WriteSession

_ADD_CHUNKS: Final = text(
    """
    INSERT INTO message_chunk
           (tenant_id, batch_id, merchant_id, channel, type, due_at, created_at)
    SELECT :tenant_id, :batch_id, :merchant_id, :channel, type, due_at, :now
      FROM json_to_recordset(CAST(:chunks AS json)) AS r (type text, due_at timestamptz)
    RETURNING id, public_id, type, due_at
    """
)


async def add_chunks(
    db: WriteSession, batch: FoundBatch, groups: Mapping[Group, int], now: datetime
) -> dict[Group, ChunkStart]:
    """Add a chunk for each group of messages; the sizes are only told to its workflow."""
    values = {
        "tenant_id": batch.tenant_id,
        "batch_id": batch.batch_id,
        "merchant_id": batch.merchant_id,
        "channel": batch.channel,
        "now": now,
        "chunks": json.dumps(
            [{"type": type, "due_at": due_at.isoformat()} for type, due_at in groups]
        ),
    }
    rows = (await db.execute(_ADD_CHUNKS, values)).all()
    added = {(row.type, row.due_at): row for row in rows}
    return {
        group: ChunkStart(
            tenant_id=batch.tenant_id,
            tenant_public_id=batch.tenant_public_id,
            chunk_id=added[group].id,
            public_id=added[group].public_id,
            merchant_id=batch.merchant_id,
            merchant=batch.merchant,
            channel=batch.channel,
            type=group[0],
            due_at=group[1],
            members=size,
        )
        for group, size in groups.items()
    }


_CHUNKS: Final = text(
    """
    SELECT t.public_id AS tenant_public_id, c.id, c.public_id, c.merchant_id,
           m.external_id AS merchant, c.channel, c.type, c.due_at,
           (SELECT count(*) FROM message
             WHERE message.tenant_id = c.tenant_id AND message.chunk_id = c.id) AS members
      FROM message_chunk c
      JOIN merchant m ON m.tenant_id = c.tenant_id AND m.id = c.merchant_id
      JOIN tenant t ON t.id = c.tenant_id
     WHERE c.tenant_id = :tenant_id AND c.batch_id = :batch_id AND c.created_at >= :since
     ORDER BY c.id
    """
)


async def find_chunks(
    db: ReadSession, *, tenant_id: int, batch_id: int, since: datetime
) -> list[ChunkStart]:
    """Return the chunks of a batch that were added since a time, if they still have members."""
    rows = await db.execute(_CHUNKS, {"tenant_id": tenant_id, "batch_id": batch_id, "since": since})
    return [
        ChunkStart(
            tenant_id=tenant_id,
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
        if row.members
    ]
