"""Reads a batch with its next lines, and locks it to decide them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import text

from models.enums import Channel, DeliveryMode
from models.rules.messages.batches.acceptance import BatchKey
from models.rules.tenants.allowed_countries import AllowedCountries
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBatch:
    """A batch, its owner, and what is left of it."""

    tenant_id: int
    tenant_public_id: int
    batch_id: int
    public_id: int
    merchant_id: int
    merchant_public_id: int
    merchant: str
    channel: Channel
    scope: str
    key_base: str
    total: int
    next_line: int
    canceled: bool
    countries: AllowedCountries
    """Where the tenant's texts and calls may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """A line that is not decided yet."""

    line: int
    own_key: str | None
    request: str = field(repr=False)
    """JSON, as it was sent."""


_FIND: Final = text(
    """
    SELECT t.public_id AS tenant_public_id, b.public_id, b.merchant_id,
           m.public_id AS merchant_public_id, m.external_id AS merchant, b.channel, b.scope,
           b.key_base, b.total, b.next_line, b.canceled_at IS NOT NULL AS canceled,
           t.delivery_mode, t.country, t.allowed_countries
      FROM batch b
      JOIN merchant m ON m.tenant_id = b.tenant_id AND m.id = b.merchant_id
      JOIN tenant t ON t.id = b.tenant_id
     WHERE b.tenant_id = :tenant_id AND b.id = :batch_id AND b.public_id = :public_id
    """
)


async def find_batch(db: ReadSession, batch: BatchKey) -> FoundBatch | None:
    """Return a batch; None if there is no such row."""
    ids = {
        "tenant_id": batch.tenant_id,
        "batch_id": batch.batch_id,
        "public_id": batch.public_id,
    }
    row = (await db.execute(_FIND, ids)).one_or_none()
    if row is None:
        return None
    return FoundBatch(
        tenant_id=batch.tenant_id,
        tenant_public_id=row.tenant_public_id,
        batch_id=batch.batch_id,
        public_id=row.public_id,
        merchant_id=row.merchant_id,
        merchant_public_id=row.merchant_public_id,
        merchant=row.merchant,
        channel=Channel(row.channel),
        scope=row.scope,
        key_base=row.key_base,
        total=row.total,
        next_line=row.next_line,
        canceled=row.canceled,
        countries=AllowedCountries(
            mode=DeliveryMode(row.delivery_mode),
            country=row.country,
            chosen=row.allowed_countries,
        ),
    )


_LINES: Final = text(
    """
    SELECT line, idempotency_key, CAST(request AS text) AS request
      FROM batch_line
     WHERE tenant_id = :tenant_id AND batch_id = :batch_id
       AND line >= :first AND line < :first + :most AND request IS NOT NULL
     ORDER BY line
    """
)


async def next_lines(db: ReadSession, batch: FoundBatch, *, most: int) -> Sequence[StoredLine]:
    """Return the first lines of a batch that are not decided."""
    rows = await db.execute(
        _LINES,
        {
            "tenant_id": batch.tenant_id,
            "batch_id": batch.batch_id,
            "first": batch.next_line,
            "most": most,
        },
    )
    return [
        StoredLine(line=row.line, own_key=row.idempotency_key, request=row.request) for row in rows
    ]


_LOCK: Final = text(
    """
    SELECT next_line FROM batch
     WHERE tenant_id = :tenant_id AND id = :batch_id AND canceled_at IS NULL
       FOR NO KEY UPDATE
    """
)


async def lock_page(db: WriteSession, batch: FoundBatch) -> bool:
    """Lock a batch; False if its next lines were decided or it was canceled since it was read."""
    ids = {"tenant_id": batch.tenant_id, "batch_id": batch.batch_id}
    return bool(await db.scalar(_LOCK, ids) == batch.next_line)
