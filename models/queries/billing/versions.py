"""Prices and rate cards are kept in versions: a version is added, never changed."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import TextClause, text

from models.rules.billing.csv_file import BadLine
from models.rules.billing.price_file import PriceLine
from models.rules.billing.rate_file import RateLine
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of the lines of a file."""

    added: int
    unchanged: int
    """Lines that say what is in force already: nothing was added for them."""
    refused: Sequence[BadLine]
    """If there are any, the transaction must be rolled back."""


# Who waited for the lock gets the time after the wait, so that no version is older than another.
_NOW: Final = text("SELECT clock_timestamp()")


async def lock_versions(db: WriteSession, lock: TextClause) -> datetime:
    """Let nobody else change the table that a statement locks; return the time."""
    await db.execute(lock)
    now: datetime = (await db.execute(_NOW)).scalar_one()
    return now


async def add_versions(
    db: WriteSession,
    lines: Iterable[tuple[int, PriceLine | RateLine]],
    *,
    find: TextClause,
    add: TextClause,
    says: Sequence[str],
    now: datetime,
) -> Imported:
    """Add a version for every line that says something new; the caller holds the lock.

    Args:
        lines: each with the tenant whose version it is.
        find: selects the version that is in force at `valid_from`.
        add: inserts a version.
        says: names of the columns that two versions may differ in.
    """
    added = unchanged = 0
    refused = []
    for tenant_id, line in sorted(lines, key=lambda pair: pair[1].valid_from):
        row = {**asdict(line), "tenant_id": tenant_id, "now": now}
        known = (await db.execute(find, row)).one_or_none()
        if known is not None and all(getattr(known, name) == row[name] for name in says):
            unchanged += 1
        elif known is not None and known.valid_from == line.valid_from:
            reason = "there is another version from that very moment on"
            refused.append(BadLine(number=line.number, reason=reason))
        else:
            await db.execute(add, row)
            added += 1
    return Imported(added=added, unchanged=unchanged, refused=refused)
