"""Rate cards: versions are added, never changed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from models.rules.billing.csv_file import BadLine
from models.rules.billing.rate_file import RateLine
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of the lines of a file."""

    added: int
    unchanged: int
    """Lines that say what is in force already: nothing was added for them."""
    refused: Sequence[BadLine]
    """If there are any, the transaction must be rolled back."""


_LOCK = text("LOCK TABLE rate IN SHARE ROW EXCLUSIVE MODE")

# Who waited for the lock gets the time after the wait, so that no version is older than another.
_NOW = text("SELECT clock_timestamp()")

_IN_FORCE = text(
    """
    SELECT valid_from, unit_cost, carrier_fee, markup_basis_points, markup_flat
      FROM rate
     WHERE tenant_id = :tenant_id AND channel = :channel AND provider = :provider
       AND country = :country AND valid_from <= :valid_from
     ORDER BY valid_from DESC LIMIT 1
    """
)

_ADD = text(
    """
    INSERT INTO rate (tenant_id, channel, provider, country, valid_from, unit_cost, carrier_fee,
                      markup_basis_points, markup_flat, imported_at)
    VALUES (:tenant_id, :channel, :provider, :country, :valid_from, :unit_cost, :carrier_fee,
            :markup_basis_points, :markup_flat, :now)
    """
)


async def lock_rates(db: WriteSession) -> datetime:
    """Let nobody else change rate cards until the transaction ends; return the time."""
    await db.execute(_LOCK)
    now: datetime = (await db.execute(_NOW)).scalar_one()
    return now


async def add_rates(
    db: WriteSession, *, tenant_id: int, lines: Sequence[RateLine], now: datetime
) -> Imported:
    """Add a version for every line that says something new; the caller holds the lock."""
    added = unchanged = 0
    refused = []
    for line in sorted(lines, key=lambda line: line.valid_from):
        row: dict[str, Any] = {**asdict(line), "tenant_id": tenant_id, "now": now}
        known = (await db.execute(_IN_FORCE, row)).one_or_none()
        if known is not None and _says(known) == _says(line):
            unchanged += 1
        elif known is not None and known.valid_from == line.valid_from:
            reason = "there is another version from that very moment on"
            refused.append(BadLine(number=line.number, reason=reason))
        else:
            await db.execute(_ADD, row)
            added += 1
    return Imported(added=added, unchanged=unchanged, refused=refused)


def _says(version: Any) -> tuple[Any, ...]:
    names = ("unit_cost", "carrier_fee", "markup_basis_points", "markup_flat")
    return tuple(getattr(version, name) for name in names)


_LIST = text(
    """
    SELECT rate.*,
           CASE WHEN valid_from > :now THEN 'later'
                WHEN lead(valid_from) OVER line <= :now THEN 'past' ELSE 'in force' END AS stands
      FROM rate WHERE tenant_id = :tenant_id
    WINDOW line AS (PARTITION BY channel, provider, country ORDER BY valid_from)
     ORDER BY channel, provider, country, valid_from
    """
)


async def list_rates(
    db: ReadSession | WriteSession, *, tenant_id: int, now: datetime
) -> Sequence[Any]:
    """Return every version of a tenant's card, and whether it is past, in force or later."""
    return (await db.execute(_LIST, {"tenant_id": tenant_id, "now": now})).all()


_UNPRICED = text(
    """
    SELECT DISTINCT tenant_id FROM usage_record
     WHERE state = 'PROVISIONAL' AND gap = 'RATE_MISSING'
    """
)


async def tenants_with_gaps(db: ReadSession | WriteSession) -> list[int]:
    """Return the tenants, of all, that have messages without a card."""
    return sorted(await db.scalars(_UNPRICED))
