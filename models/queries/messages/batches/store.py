"""Stores batches with their lines, and finds them by Idempotency-Key."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import text

from models.enums import Channel
from models.queries.messages.batches.identity import OWNERS, START, start_of
from models.queries.tenants.idempotency_records import lock_name
from models.rules.messages.batches.identity import BatchStart
from models.session import ReadSession, WriteSession
from models.tables.base import NEW_PUBLIC_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """Values of a new batch."""

    tenant_id: int
    merchant_id: int
    channel: Channel
    scope: str
    idempotency_key: str | None
    fingerprint: str
    key_base: str | None
    """None for a batch without a key: its lines' keys begin with its public id."""
    total: int
    created_at: datetime
    sweep_at: datetime


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to store."""

    request: str = field(repr=False)
    """A JSON object."""
    idempotency_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBatch:
    """A batch that was stored under an Idempotency-Key."""

    start: BatchStart
    fingerprint: str
    has_work: bool
    """Its workflow has something to do."""


async def lock_undecided(db: WriteSession, tenant_id: int) -> None:
    """Wait until no other transaction stores a batch of the tenant, and let none until the end."""
    await lock_name(db, f"batches/{tenant_id}")


_UNDECIDED: Final = text(
    "SELECT count(*) FROM batch WHERE tenant_id = :tenant_id AND decided_at IS NULL"
)


async def count_undecided(db: WriteSession, tenant_id: int) -> int:
    """Return how many batches of a tenant have lines that are not decided."""
    return int(await db.scalar(_UNDECIDED, {"tenant_id": tenant_id}) or 0)


_KNOWN: Final = text(
    f"""
    SELECT {START}, b.fingerprint, b.sweep_at IS NOT NULL AS has_work
      FROM batch b {OWNERS}
     WHERE b.tenant_id = :tenant_id AND b.scope = :scope AND b.idempotency_key = :idempotency_key
    """  # noqa: S608 - every value is a parameter
)


async def find_known(
    db: ReadSession | WriteSession, *, tenant_id: int, scope: str, idempotency_key: str
) -> KnownBatch | None:
    """Return the batch that was stored under this key; None if there is none."""
    values = {"tenant_id": tenant_id, "scope": scope, "idempotency_key": idempotency_key}
    row = (await db.execute(_KNOWN, values)).one_or_none()
    if row is None:
        return None
    return KnownBatch(start=start_of(row), fingerprint=row.fingerprint, has_work=row.has_work)


# The public id is drawn here, because the keys of an unkeyed batch's lines begin with it.
_INSERT: Final = text(
    f"""
    INSERT INTO batch
           (tenant_id, public_id, merchant_id, channel, scope, idempotency_key, fingerprint,
            key_base, total, created_at, sweep_at)
    SELECT :tenant_id, drawn.id, :merchant_id, :channel, :scope, :idempotency_key, :fingerprint,
           COALESCE(:key_base, CAST(drawn.id AS text)), :total, :created_at, :sweep_at
      FROM (SELECT {NEW_PUBLIC_ID} AS id) AS drawn
    ON CONFLICT (tenant_id, public_id) DO NOTHING
    RETURNING id
    """  # noqa: S608 - every value is a parameter
)

_MOST_DRAWS: Final = 4
"""Tries with a random public id; see `api.services.messages.write`."""


async def insert_batch(db: WriteSession, batch: NewBatch) -> int:
    """Insert a batch without its lines; return its row id. Its key must be free."""
    for _ in range(_MOST_DRAWS):
        batch_id = await db.scalar(_INSERT, asdict(batch))
        if batch_id is not None:
            return int(batch_id)
    raise RuntimeError("no free public id was drawn")


# One array for all requests is sent as text without being quoted once more. `json` keeps the text.
_INSERT_LINES: Final = text(
    """
    INSERT INTO batch_line (tenant_id, batch_id, line, request, idempotency_key)
    SELECT :tenant_id, :batch_id, :before + number, request, idempotency_key
      FROM ROWS FROM (json_array_elements(CAST(:requests AS json)),
                      unnest(CAST(:keys AS text[])))
           WITH ORDINALITY AS line (request, idempotency_key, number)
    """
)


async def insert_lines(
    db: WriteSession, *, tenant_id: int, batch_id: int, before: int, lines: Sequence[NewLine]
) -> None:
    """Insert lines of a batch; `before` is the number of the line before the first one."""
    await db.execute(
        _INSERT_LINES,
        {
            "tenant_id": tenant_id,
            "batch_id": batch_id,
            "before": before,
            "requests": f"[{','.join(line.request for line in lines)}]",
            "keys": [line.idempotency_key for line in lines],
        },
    )
