"""Table of inbound messages."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlmodel import Field

from models.enums import InboundKind
from models.tables.base import (
    Table,
    contact_key_column,
    identity,
    one_of,
    public_id_column,
    tenant_key,
    timestamp,
    unique_public_id,
)


class InboundMessage(Table, table=True):
    """One text that a recipient sent to a number of a tenant, stored once per event id.

    `merchant_id` is the addressed merchant: the owner of the number, or on a shared number the
    merchant that last sent to this sender; None if no merchant did.
    """

    __tablename__: ClassVar[str] = "inbound_message"
    __table_args__ = (
        unique_public_id(),
        UniqueConstraint("tenant_id", "provider", "event_id"),
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("kind", InboundKind),
        Index("ix_inbound_message_contact", "tenant_id", "contact_key", "id"),
        Index("ix_inbound_message_number", "tenant_id", "number", "id"),
        Index("ix_inbound_message_merchant", "tenant_id", "merchant_id", "id"),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    provider: str = Field(sa_type=String(32))
    event_id: str = Field(sa_type=String(128))
    kind: InboundKind = Field(sa_type=String(8))
    sender: str = Field(
        sa_type=Text, description="Who wrote, as received: a number, a short code, a name, nothing."
    )
    contact_key: str = contact_key_column(description="Of whoever wrote.")
    number: str = Field(sa_type=String(16), description="Our number it was sent to.")
    body: str = Field(sa_type=Text)
    sent_at: datetime = timestamp(description="The provider's own time.")
    received_at: datetime = timestamp()
