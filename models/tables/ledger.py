"""Tables of units: balances and every movement."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field

from models.enums import Channel, DeliveryMode, LedgerKind
from models.tables.base import (
    Table,
    identity,
    not_negative,
    one_of,
    public_id_column,
    tenant_key,
    timestamp,
    unique_public_id,
)


class CreditAccount(Table, table=True):
    """Purchased units of a merchant on a channel: available ones, and those held for sends."""

    __tablename__: ClassVar[str] = "credit_account"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "delivery_mode"], ["tenant.id", "tenant.delivery_mode"]),
        one_of("delivery_mode", DeliveryMode),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("channel", Channel),
        not_negative("available", "held"),
    )

    tenant_id: int = tenant_key()
    merchant_id: int = Field(primary_key=True, sa_type=BigInteger)
    channel: Channel = Field(primary_key=True, sa_type=String(8))
    delivery_mode: DeliveryMode = Field(
        sa_type=String(16), description="That of the tenant; a row never changes it."
    )
    available: int = Field(default=0, sa_type=BigInteger)
    held: int = Field(default=0, sa_type=BigInteger)


class AllowanceMonth(Table, table=True):
    """Units that a merchant's sends of one month used on a channel.

    `used` and `held` count against the month's allowance. `credits_used` is what the same sends
    captured from credits, so used + credits_used is the `*Used` counter of the contract.
    """

    __tablename__: ClassVar[str] = "allowance_month"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("channel", Channel),
        not_negative("used", "held", "credits_used"),
    )

    tenant_id: int = tenant_key()
    merchant_id: int = Field(primary_key=True, sa_type=BigInteger)
    channel: Channel = Field(primary_key=True, sa_type=String(8))
    month: str = Field(primary_key=True, sa_type=String(7), description="YYYY-MM, UTC.")
    used: int = Field(default=0, sa_type=BigInteger)
    held: int = Field(default=0, sa_type=BigInteger)
    credits_used: int = Field(default=0, sa_type=BigInteger)


class LedgerEntry(Table, table=True):
    """One movement of units, never deleted. Unique per cause, so that each action counts once.

    `units` is the size of the movement. `credit_units` is the part from or to credits; the rest is
    from or to the allowance of `month`. `balance` is the available credits afterwards.
    """

    __tablename__: ClassVar[str] = "ledger_entry"
    __table_args__ = (
        unique_public_id(),
        UniqueConstraint("tenant_id", "message_id", "kind"),
        # Without the entries of messages, which are nearly all.
        Index(
            "ux_ledger_entry_payment",
            "tenant_id",
            "payment_id",
            "kind",
            unique=True,
            postgresql_where=text("payment_id IS NOT NULL"),
        ),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        ForeignKeyConstraint(["tenant_id", "message_id"], ["message.tenant_id", "message.id"]),
        ForeignKeyConstraint(["tenant_id", "payment_id"], ["payment.tenant_id", "payment.id"]),
        one_of("channel", Channel),
        one_of("kind", LedgerKind),
        not_negative("balance"),
        CheckConstraint(
            "kind = 'ADJUST' OR (units >= 0 AND credit_units BETWEEN 0 AND units)", name="parts"
        ),
        Index("ix_ledger_entry_account", "tenant_id", "merchant_id", "channel", "id"),
        Index(
            "ix_ledger_entry_upgrade",
            "tenant_id",
            "merchant_id",
            "channel",
            "id",
            postgresql_where=text("kind = 'TOPUP'"),
        ),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int = Field(sa_type=BigInteger)
    channel: Channel = Field(sa_type=String(8))
    kind: LedgerKind = Field(sa_type=String(8))
    units: int
    credit_units: int
    balance: int = Field(sa_type=BigInteger)
    month: str = Field(sa_type=String(7))
    message_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    payment_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    at: datetime = timestamp()
