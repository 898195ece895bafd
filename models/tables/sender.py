"""Table of the queues of rate-limited senders."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    String,
    text,
)
from sqlmodel import Field

from models.enums import Channel
from models.tables.base import Table, one_of, optional_timestamp, tenant_key, timestamp

_WAITING = text("granted_at IS NULL")


class SenderQueueEntry(Table, table=True):
    """A message in its sender's queue; `granted_at` is the time of its slot, once granted.

    The queue is ordered by priority, then by `turn`, then by `seq`. `turn` makes merchants
    alternate (fair queueing): a merchant's first message gets the turn of the queue's head, each
    later one that plus the units queued before it. So an index finds the next message.
    """

    __tablename__: ClassVar[str] = "sender_queue"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "message_id"], ["message.tenant_id", "message.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["tenant_id", "sender_id"], ["sender_number.tenant_id", "sender_number.id"]
        ),
        one_of("channel", Channel),
        CheckConstraint("units >= 1", name="units"),
        Index(
            "ix_sender_queue_next",
            "tenant_id",
            "sender_id",
            "channel",
            "priority",
            "turn",
            "seq",
            postgresql_where=_WAITING,
        ),
        Index(
            "ix_sender_queue_merchant",
            "tenant_id",
            "sender_id",
            "channel",
            "priority",
            "merchant_id",
            "turn",
            postgresql_where=_WAITING,
        ),
        Index("ix_sender_queue_granted", "tenant_id", "sender_id", "channel", "granted_at"),
    )

    tenant_id: int = tenant_key()
    message_id: int = Field(primary_key=True, sa_type=BigInteger)
    sender_id: int = Field(sa_type=BigInteger)
    channel: Channel = Field(sa_type=String(8))
    priority: int = Field(sa_type=SmallInteger)
    merchant_id: int = Field(sa_type=BigInteger, description="0: the tenant itself.")
    turn: int = Field(sa_type=BigInteger)
    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), nullable=False))
    units: int
    queued_at: datetime = timestamp()
    granted_at: datetime | None = optional_timestamp()
