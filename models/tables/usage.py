"""Tables of usage and cost, per message and per day."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Date, ForeignKeyConstraint, Index, Numeric, String, text
from sqlmodel import Field

from models.enums import Channel, PriceSource, UnpricedReason, UsageState
from models.tables.base import (
    Table,
    identity,
    not_negative,
    one_of,
    optional_timestamp,
    tenant_key,
    timestamp,
)


def _amount(**kwargs: Any) -> Any:
    """An exact amount of USD with six decimals."""
    return Field(
        default=Decimal(0),
        sa_type=Numeric(18, 6),
        sa_column_kwargs={"server_default": "0"},
        **kwargs,
    )


def _count(**kwargs: Any) -> Any:
    """A number of messages."""
    return Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"}, **kwargs)


class UsageRecord(Table, table=True):
    """Usage of one message; once FINAL, only a correction can change its cost."""

    __tablename__: ClassVar[str] = "usage_record"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "message_id"], ["message.tenant_id", "message.id"]),
        one_of("channel", Channel),
        one_of("state", UsageState),
        one_of("priced_by", PriceSource, optional=True),
        one_of("gap", UnpricedReason, optional=True),
        not_negative("units", "cost_units", "cost", "carrier_fee", "markup"),
        Index("ix_usage_record_day", "tenant_id", "day", "merchant_id", "channel"),
        Index(
            "ix_usage_record_gap",
            "tenant_id",
            "gap",
            "day",
            postgresql_where=text("state = 'PROVISIONAL'"),
        ),
        # Over all tenants: the sweeper asks providers for the prices that are due.
        Index(
            "ix_usage_record_price_due",
            "price_due_at",
            postgresql_where=text("state = 'PROVISIONAL' AND gap = 'VENDOR_PRICE'"),
        ),
        Index(
            "ix_usage_record_unpriced",
            "tenant_id",
            "gap",
            "channel",
            "provider",
            "country",
            "day",
            "merchant_id",
            postgresql_where=text("state = 'PROVISIONAL'"),
        ),
    )

    tenant_id: int = tenant_key()
    message_id: int = Field(primary_key=True, sa_type=BigInteger)
    merchant_id: int = Field(sa_type=BigInteger)
    channel: Channel = Field(sa_type=String(8))
    provider: str = Field(sa_type=String(32))
    day: date = Field(sa_type=Date, description="UTC day of the attempt that counted.")
    units: int
    state: UsageState = Field(sa_type=String(12))
    country: str = Field(
        default="",
        sa_type=String(2),
        sa_column_kwargs={"server_default": ""},
        description="Of the recipient, ISO 3166; empty: none.",
    )
    cost_units: int = Field(
        default=0,
        sa_column_kwargs={"server_default": "0"},
        description="Those it costs money for: units, and what a correction did not take again.",
    )
    cost: Decimal = _amount(description="What the provider takes, carrier fees apart.")
    carrier_fee: Decimal = _amount(description="What the provider passes on to carriers.")
    markup: Decimal = _amount(description="By the card in force at acceptance.")
    priced_by: PriceSource | None = Field(default=None, sa_type=String(8), nullable=True)
    gap: UnpricedReason | None = Field(
        default=None, sa_type=String(16), nullable=True, description="Why it is PROVISIONAL."
    )
    recorded_at: datetime = timestamp()
    price_due_at: datetime | None = optional_timestamp(
        description="When its provider is asked for the price next, while that is awaited."
    )


class UsageDay(Table, table=True):
    """Totals of a day, updated in the transaction that writes each record. Reports read these.

    `merchant_id` 0 means the tenant itself, for its direct e-mail.
    """

    __tablename__: ClassVar[str] = "usage_day"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        one_of("channel", Channel),
        not_negative("messages", "units", "delivered", "failed"),
    )

    tenant_id: int = tenant_key()
    day: date = Field(primary_key=True, sa_type=Date)
    merchant_id: int = Field(primary_key=True, sa_type=BigInteger)
    channel: Channel = Field(primary_key=True, sa_type=String(8))
    messages: int = Field(default=0, sa_type=BigInteger)
    units: int = Field(default=0, sa_type=BigInteger)
    aws_cost: Decimal = _amount(description="What AWS takes, carrier fees included.")
    provider_cost: Decimal = _amount(
        description="What all other providers take, carrier fees included."
    )
    carrier_fees: Decimal = _amount(description="The part of both that carriers get.")
    markup: Decimal = _amount()
    delivered: int = _count(description="Messages DELIVERED, on the day it was posted.")
    failed: int = _count(description="Of those that a provider took: UNDELIVERED or FAILED.")


class UsageCorrection(Table, table=True):
    """A cost that became known after the message's day was closed, posted to a later day.

    Amounts are differences and may be negative; the usage record itself does not change.
    """

    __tablename__: ClassVar[str] = "usage_correction"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "message_id"], ["usage_record.tenant_id", "usage_record.message_id"]
        ),
        one_of("channel", Channel),
        Index("ix_usage_correction_day", "tenant_id", "day", "merchant_id", "channel"),
        Index("ix_usage_correction_message", "tenant_id", "message_id"),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    message_id: int = Field(sa_type=BigInteger)
    merchant_id: int = Field(sa_type=BigInteger)
    channel: Channel = Field(sa_type=String(8))
    provider: str = Field(sa_type=String(32))
    day: date = Field(sa_type=Date, description="UTC day on which it became known.")
    cost: Decimal = _amount()
    carrier_fee: Decimal = _amount()
    markup: Decimal = _amount()
    posted_at: datetime = timestamp()


class UsageClosing(Table, table=True):
    """A closed UTC day of a tenant: no writes to it are allowed."""

    __tablename__: ClassVar[str] = "usage_closing"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),)

    tenant_id: int = tenant_key()
    day: date = Field(primary_key=True, sa_type=Date)
    closed_at: datetime = timestamp()
