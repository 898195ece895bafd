"""Tables of batches: requests with many sends, their lines, and chunks that are sent together."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field

from models.enums import Channel, MessageType
from models.rules.messages.batches.keys import LONGEST_KEY_BASE
from models.tables.base import (
    Table,
    identity,
    not_negative,
    one_of,
    optional_timestamp,
    public_id_column,
    tenant_key,
    timestamp,
    unique_public_id,
)


class Batch(Table, table=True):
    """One request with up to 10,000 sends; the row that answers a replayed Idempotency-Key.

    Its status and its counts are derived: from its times and from the messages with its id.
    """

    __tablename__: ClassVar[str] = "batch"
    __table_args__ = (
        unique_public_id(),
        # The operation is always `send-batch`. The key comes first, as in `message`.
        UniqueConstraint("tenant_id", "idempotency_key", "scope"),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("channel", Channel),
        not_negative("accepted", "refused"),
        CheckConstraint(
            "next_line = accepted + refused + 1 AND next_line <= total + 1", name="decided_lines"
        ),
        CheckConstraint(
            "(decided_at IS NOT NULL) = (next_line = total + 1)", name="all_lines_decided"
        ),
        CheckConstraint("decided_at IS NOT NULL OR sweep_at IS NOT NULL", name="swept"),
        # Over all tenants: the sweeper looks for open work.
        Index("ix_batch_sweep", "sweep_at", postgresql_where=text("sweep_at IS NOT NULL")),
        Index("ix_batch_undecided", "tenant_id", postgresql_where=text("decided_at IS NULL")),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int = Field(sa_type=BigInteger)
    channel: Channel = Field(sa_type=String(8))
    scope: str = Field(
        sa_type=String(24),
        description="Public id of the merchant for a merchant's API key, else empty.",
    )
    idempotency_key: str | None = Field(default=None, sa_type=String(255), nullable=True)
    fingerprint: str = Field(sa_type=String(64))
    key_base: str = Field(
        sa_type=String(LONGEST_KEY_BASE),
        description="What the keys of its lines begin with: see models.rules.messages.batches.",
    )
    total: int
    accepted: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    refused: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    next_line: int = Field(
        default=1,
        sa_column_kwargs={"server_default": text("1")},
        description="The first line that is not decided yet; total + 1 once all are.",
    )
    created_at: datetime = timestamp()
    decided_at: datetime | None = optional_timestamp(
        description="When its last line was accepted or refused."
    )
    canceled_at: datetime | None = optional_timestamp()
    sweep_at: datetime | None = optional_timestamp(
        description="When the sweeper looks after it next; null when its workflow has no work: all "
        "lines are decided and, after a cancellation, its waiting messages are canceled."
    )


class BatchLine(Table, table=True):
    """One line of a batch. The transaction that decides it sets `request` to null."""

    __tablename__: ClassVar[str] = "batch_line"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "batch_id"], ["batch.tenant_id", "batch.id"]),
        CheckConstraint("line >= 1", name="line"),
        CheckConstraint(
            "num_nonnulls(request, message_id, refusal_code) = 1", name="decided_or_not"
        ),
        CheckConstraint(
            "(refusal_code IS NULL) = (refusal_detail IS NULL)", name="refusal_with_detail"
        ),
    )

    tenant_id: int = tenant_key()
    batch_id: int = Field(primary_key=True, sa_type=BigInteger)
    line: int = Field(
        primary_key=True, sa_type=Integer, description="From 1; the head of NDJSON is not counted."
    )
    request: dict[str, Any] | None = Field(
        default=None,
        sa_type=JSON(none_as_null=True),
        nullable=True,
        description="As it was sent, `key` included. JSONB would write numbers otherwise.",
    )
    idempotency_key: str | None = Field(
        default=None, sa_type=String(255), nullable=True, description="Its own, as sent in `key`."
    )
    message_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    refusal_code: str | None = Field(default=None, sa_type=String(64), nullable=True)
    refusal_detail: str | None = Field(default=None, sa_type=Text, nullable=True)


class MessageChunk(Table, table=True):
    """Up to 100 messages of a batch that are sent by one workflow; all have one type.

    Its members are the messages with its id in `chunk_id`; they leave by setting that to null.
    """

    __tablename__: ClassVar[str] = "message_chunk"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id", "batch_id"], ["batch.tenant_id", "batch.id"]),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("channel", Channel),
        one_of("type", MessageType),
        Index("ix_message_chunk_batch", "tenant_id", "batch_id", "id"),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    batch_id: int = Field(sa_type=BigInteger)
    merchant_id: int = Field(sa_type=BigInteger)
    channel: Channel = Field(sa_type=String(8))
    type: MessageType = Field(sa_type=String(16))
    due_at: datetime = timestamp()
    created_at: datetime = timestamp()
