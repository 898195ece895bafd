"""Cursors of lists: the public id of the last row of the previous page."""

from typing import TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.errors import ValidationFailed
from models.tables.alert import Alert
from models.tables.consent import Consent, ConsentChange
from models.tables.inbound import InboundMessage
from models.tables.ledger import LedgerEntry
from models.tables.merchant import Merchant
from models.tables.message import Message
from models.tables.messaging import Campaign, MessagingNumber
from models.tables.payment import Payment
from models.tables.tenant import ApiKey
from models.tables.voice import VoiceCredential
from models.tables.webhook import WebhookEndpoint

Listed: TypeAlias = (
    type[Alert]
    | type[ApiKey]
    | type[Campaign]
    | type[Consent]
    | type[ConsentChange]
    | type[InboundMessage]
    | type[LedgerEntry]
    | type[Merchant]
    | type[Message]
    | type[MessagingNumber]
    | type[Payment]
    | type[VoiceCredential]
    | type[WebhookEndpoint]
)


async def find_cursor_row(
    db: AsyncSession, table: Listed, tenant_id: int, public_id: int | None
) -> int | None:
    """Return the sort key of the row that a cursor names; None if there is no cursor.

    Lists are sorted by row id, which would reveal the number of rows; so the cursor is the public
    id.

    Raises:
        ValidationFailed: the tenant has no such row.
    """
    if public_id is None:
        return None
    order = table.number if issubclass(table, Consent) else table.id
    number: int | None = await db.scalar(
        select(col(order)).where(
            col(table.tenant_id) == tenant_id, col(table.public_id) == public_id
        )
    )
    if number is None:
        raise unknown_cursor()
    return number


def unknown_cursor() -> ValidationFailed:
    """Return the error for an unknown cursor."""
    return ValidationFailed("cursor is not one of ours", (("cursor", "is not one of ours"),))
