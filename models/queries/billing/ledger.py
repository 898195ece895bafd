"""Queries of the API for ledger entries."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col

from models.enums import Channel
from models.queries.tenants.visibility import CallerScope, visible_ledger
from models.session import ReadSession
from models.tables.ledger import LedgerEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEntry:
    """A ledger entry, and the public id of the message or payment that caused it."""

    entry: LedgerEntry
    message: int | None
    payment: int | None


async def list_entries(
    db: ReadSession,
    scope: CallerScope,
    *,
    channel: Channel,
    after: int | None,
    most: int,
) -> Sequence[FoundEntry]:
    """Return the entries of a channel, the newest first; of one merchant by their index.

    `after` is the last id of the previous page.
    """
    statement = visible_ledger(scope).where(col(LedgerEntry.channel) == channel)
    if after is not None:
        statement = statement.where(col(LedgerEntry.id) < after)
    newest = statement.order_by(col(LedgerEntry.id).desc()).limit(most)
    return [
        FoundEntry(entry=row[0], message=row[1], payment=row[2]) for row in await db.execute(newest)
    ]
