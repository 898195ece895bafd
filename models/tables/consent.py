"""Tables of consent and suppression."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    String,
)
from sqlmodel import Field

from models.enums import Channel, ConsentEvent, ConsentStatus, SuppressionReason
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


class Consent(Table, table=True):
    """Current consent of a recipient, per merchant and channel."""

    __tablename__: ClassVar[str] = "consent"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("channel", Channel),
        one_of("status", ConsentStatus),
        Index("ix_consent_number", "tenant_id", "number"),
        Index("ix_consent_merchant", "tenant_id", "merchant_id", "number"),
        Index("ix_consent_contact", "tenant_id", "contact_key", "number"),
    )

    tenant_id: int = tenant_key()
    merchant_id: int = Field(primary_key=True, sa_type=BigInteger)
    channel: Channel = Field(primary_key=True, sa_type=String(8))
    contact_key: str = contact_key_column(primary_key=True)
    public_id: int = public_id_column()
    contact: str = Field(sa_type=String(320), description="The contact as it was given.")
    status: ConsentStatus = Field(sa_type=String(8))
    source: str = Field(sa_type=String(200))
    version: int = Field(sa_type=BigInteger, description="Id of the change that made it so.")
    number: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, Identity(), nullable=False),
        description="In the order of first words: a list by it misses no change.",
    )
    updated_at: datetime = timestamp()


class ConsentChange(Table, table=True):
    """One change of consent, never deleted: the proof of consent."""

    __tablename__: ClassVar[str] = "consent_change"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        one_of("channel", Channel),
        one_of("status", ConsentEvent),
        Index(
            "ix_consent_change_contact",
            "tenant_id",
            "merchant_id",
            "channel",
            "contact_key",
            "id",
        ),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int = Field(sa_type=BigInteger)
    channel: Channel = Field(sa_type=String(8))
    contact_key: str = contact_key_column()
    contact: str = Field(sa_type=String(320))
    status: ConsentEvent = Field(sa_type=String(16))
    source: str = Field(sa_type=String(200))
    changed_at: datetime = timestamp()


class Suppression(Table, table=True):
    """A contact that a merchant must not send to: a hard bounce, a complaint or a carrier opt-out.

    `merchant_id` 0 means the tenant itself, for bounces of its direct e-mail.
    """

    __tablename__: ClassVar[str] = "suppression"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        one_of("channel", Channel),
        one_of("reason", SuppressionReason),
        Index("ix_suppression_contact", "tenant_id", "channel", "contact_key"),
    )

    tenant_id: int = tenant_key()
    merchant_id: int = Field(primary_key=True, sa_type=BigInteger)
    channel: Channel = Field(primary_key=True, sa_type=String(8))
    contact_key: str = contact_key_column(primary_key=True)
    reason: SuppressionReason = Field(primary_key=True, sa_type=String(16))
    source: str = Field(sa_type=String(200))
    suppressed_at: datetime = timestamp()


class ContactKeyCheck(Table, table=True):
    """The contact key that the rows of this database were written with: at most one row.

    It is shared by all tenants, because an installation has one key.
    """

    __tablename__: ClassVar[str] = "contact_key"
    __table_args__ = (CheckConstraint("single", name="single"),)

    single: bool = Field(primary_key=True)
    version: int
    check_value: str = Field(sa_type=String(64), description="Derived from the key; not secret.")
