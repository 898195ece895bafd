"""Adds the chunks of a page's messages, and finds those that may not be started."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import text

from models.queries.messages.batches.chunk_identity import (
    CHUNK_OWNERS,
    CHUNK_START,
    chunk_start_of,
)
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
    f"""
    SELECT {CHUNK_START}
      FROM message_chunk c {CHUNK_OWNERS}
     WHERE c.tenant_id = :tenant_id AND c.batch_id = :batch_id AND c.created_at >= :since
     ORDER BY c.id
    """  # noqa: S608 - every value is a parameter
)


async def find_chunks(
    db: ReadSession, *, tenant_id: int, batch_id: int, since: datetime
) -> list[ChunkStart]:
    """Return the chunks of a batch that were added since a time, if they still have members."""
    rows = await db.execute(_CHUNKS, {"tenant_id": tenant_id, "batch_id": batch_id, "since": since})
    return [chunk_start_of(row) for row in rows if row.members]
