"""Movements of units, as a caller reads them."""

from collections.abc import Sequence

from sqlmodel import col

from models.enums import Channel
from models.queries.tenants.visibility import CallerScope, visible_ledger
from models.session import ReadSession
from models.tables.ledger import LedgerEntry


async def list_entries(
    db: ReadSession,
    scope: CallerScope,
    *,
    channel: Channel,
    after: int | None,
    most: int,
) -> Sequence[LedgerEntry]:
    """Return the movements on a channel, the newest first; of one merchant by their index.

    `after` is the id of the one to go on behind.
    """
    statement = visible_ledger(scope).where(col(LedgerEntry.channel) == channel)
    if after is not None:
        statement = statement.where(col(LedgerEntry.id) < after)
    newest = statement.order_by(col(LedgerEntry.id).desc()).limit(most)
    return (await db.scalars(newest)).all()
