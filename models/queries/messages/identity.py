"""Reads the identity of a message from a row of any statement that selects it."""

from typing import Any, Final

from sqlalchemy import Row

from models.enums import Channel, MessageType
from models.rules.messages.identity import MessageIdentity, SendStart

IDENTITY: Final = (
    "m.tenant_id, m.id AS message_id, m.public_id,"
    " (SELECT public_id FROM tenant WHERE tenant.id = m.tenant_id) AS tenant_public_id,"
    " COALESCE(m.merchant_id, 0) AS merchant_id,"
    " m.operation, m.scope, m.idempotency_key"
)
"""SQL of the columns that `identity_of` reads; the message is `m`."""

START: Final = (
    f"{IDENTITY}, COALESCE(merchant.external_id, '') AS merchant, m.channel, m.type, m.chunk_id"
)
"""SQL of the columns that `start_of` reads; its merchant, if it has one, is `merchant`."""


def identity_of(row: Row[Any]) -> MessageIdentity:
    """Return the identity in a row that has the columns of `IDENTITY`."""
    return MessageIdentity(
        tenant_id=row.tenant_id,
        tenant_public_id=row.tenant_public_id,
        message_id=row.message_id,
        public_id=row.public_id,
        merchant_id=row.merchant_id,
        operation=row.operation,
        scope=row.scope,
        idempotency_key=row.idempotency_key,
    )


def start_of(row: Row[Any]) -> SendStart:
    """Return what starts the workflow of the message in a row with the columns of `START`."""
    return SendStart(
        tenant_id=row.tenant_id,
        tenant_public_id=row.tenant_public_id,
        message_id=row.message_id,
        public_id=row.public_id,
        merchant_id=row.merchant_id,
        operation=row.operation,
        scope=row.scope,
        idempotency_key=row.idempotency_key,
        merchant=row.merchant,
        channel=Channel(row.channel),
        type=MessageType(row.type),
        chunk_id=row.chunk_id,
    )
