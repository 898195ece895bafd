"""Versions of prices and rate cards, which are added and never changed."""

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
    """Result of importing a file."""

    added: int
    unchanged: int
    """Lines equal to the version in force, for which nothing was added."""
    refused: Sequence[BadLine]
    """If there are any, the transaction must be rolled back."""


# The time is read after the lock is acquired, so that versions are ordered by time.
_NOW: Final = text("SELECT clock_timestamp()")


async def lock_versions(db: WriteSession, lock: TextClause) -> datetime:
    """Lock a table against other changes by the given statement; return the time."""
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
    """Add a version for every line that differs from the one in force; the lock must be held.

    Args:
        lines: pairs of tenant id and line.
        find: selects the version in force at `valid_from`.
        add: inserts a version.
        says: names of the columns in which versions may differ.
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
