"""Reads the identity of a chunk from a row of any statement that selects it."""

from typing import Any, Final

from sqlalchemy import Row

from models.enums import Channel, MessageType
from models.rules.messages.batches.identity import ChunkStart

CHUNK_START: Final = """
           c.tenant_id, tenant.public_id AS tenant_public_id, c.id AS chunk_id, c.public_id,
           c.merchant_id, merchant.external_id AS merchant, c.channel, c.type, c.due_at,
           (SELECT count(*) FROM message member
             WHERE member.tenant_id = c.tenant_id AND member.chunk_id = c.id) AS members"""
"""SQL of the columns that `chunk_start_of` reads; the chunk is `c`, its owners are joined by
`CHUNK_OWNERS`.
"""

CHUNK_OWNERS: Final = """
      JOIN tenant ON tenant.id = c.tenant_id
      JOIN merchant ON merchant.tenant_id = c.tenant_id AND merchant.id = c.merchant_id"""


def chunk_start_of(row: Row[Any]) -> ChunkStart:
    """Return what starts the workflow of the chunk in a row with the columns of `CHUNK_START`."""
    return ChunkStart(
        tenant_id=row.tenant_id,
        tenant_public_id=row.tenant_public_id,
        chunk_id=row.chunk_id,
        public_id=row.public_id,
        merchant_id=row.merchant_id,
        merchant=row.merchant,
        channel=Channel(row.channel),
        type=MessageType(row.type),
        due_at=row.due_at,
        members=row.members,
    )
