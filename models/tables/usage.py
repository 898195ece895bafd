"""What was used, per message and per day."""

from datetime import date, datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Date, ForeignKeyConstraint, Index, String
from sqlmodel import Field

from models.enums import Channel, UsageState
from models.tables.base import Table, not_negative, one_of, tenant_key, timestamp


class UsageRecord(Table, table=True):
    """What one message used; FINAL once no report can change it but a correction."""

    __tablename__: ClassVar[str] = "usage_record"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "message_id"], ["message.tenant_id", "message.id"]),
        one_of("channel", Channel),
        one_of("state", UsageState),
        not_negative("units"),
        Index("ix_usage_record_day", "tenant_id", "day", "merchant_id", "channel"),
    )

    tenant_id: int = tenant_key()
    message_id: int = Field(primary_key=True, sa_type=BigInteger)
    merchant_id: int = Field(sa_type=BigInteger)
    channel: Channel = Field(sa_type=String(8))
    provider: str = Field(sa_type=String(32))
    day: date = Field(sa_type=Date, description="UTC day of the attempt that counted.")
    units: int
    state: UsageState = Field(sa_type=String(12))
    recorded_at: datetime = timestamp()


class UsageDay(Table, table=True):
    """A day's totals, moved in the transaction that writes each record: reports read these.

    `merchant_id` 0 stands for the tenant itself, for whom direct e-mail is metered.
    """

    __tablename__: ClassVar[str] = "usage_day"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        one_of("channel", Channel),
        not_negative("messages", "units"),
    )

    tenant_id: int = tenant_key()
    day: date = Field(primary_key=True, sa_type=Date)
    merchant_id: int = Field(primary_key=True, sa_type=BigInteger)
    channel: Channel = Field(primary_key=True, sa_type=String(8))
    messages: int = Field(default=0, sa_type=BigInteger)
    units: int = Field(default=0, sa_type=BigInteger)
