"""Reads the identity of a batch from a row of any statement that selects it."""

from typing import Any, Final

from sqlalchemy import Row, text

from models.enums import Channel
from models.rules.messages.batches.identity import BatchStart
from models.session import ReadSession, WriteSession

START: Final = (
    "b.tenant_id, tenant.public_id AS tenant_public_id, b.id AS batch_id, b.public_id,"
    " b.merchant_id, merchant.external_id AS merchant, b.channel, b.total, b.scope,"
    " b.idempotency_key"
)
"""SQL of the columns that `start_of` reads; the batch is `b`, its owners are joined by `OWNERS`."""

OWNERS: Final = (
    "JOIN tenant ON tenant.id = b.tenant_id"
    " JOIN merchant ON merchant.tenant_id = b.tenant_id AND merchant.id = b.merchant_id"
)


def start_of(row: Row[Any]) -> BatchStart:
    """Return what starts the workflow of the batch in a row with the columns of `START`."""
    return BatchStart(
        tenant_id=row.tenant_id,
        tenant_public_id=row.tenant_public_id,
        batch_id=row.batch_id,
        public_id=row.public_id,
        merchant_id=row.merchant_id,
        merchant=row.merchant,
        channel=Channel(row.channel),
        total=row.total,
        scope=row.scope,
        idempotency_key=row.idempotency_key,
    )


_FIND: Final = text(
    f"SELECT {START} FROM batch b {OWNERS} WHERE b.tenant_id = :tenant_id AND b.id = :batch_id"  # noqa: S608 - every value is a parameter
)


async def find_start(db: ReadSession | WriteSession, tenant_id: int, batch_id: int) -> BatchStart:
    """Return what starts the workflow of a stored batch."""
    row = (await db.execute(_FIND, {"tenant_id": tenant_id, "batch_id": batch_id})).one()
    return start_of(row)
