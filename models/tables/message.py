"""Tables of messages, attempts and receipts."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Numeric,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.enums import (
    AttemptState,
    Channel,
    DeliveryMode,
    ErrorCode,
    MessageStatus,
    MessageType,
    ReportStatus,
)
from models.rules.accounts.names import DEFAULT_ACCOUNT
from models.rules.messages.identity import MessageIdentity
from models.tables.base import (
    Table,
    contact_key_column,
    identity,
    not_negative,
    one_of,
    optional_timestamp,
    public_id_column,
    tenant_key,
    timestamp,
    unique_public_id,
)


def call_label(name: Literal["tenantId", "sourceSystem", "useCase"]) -> str:
    """Return the SQL of a label by which calls are searched, as in its index.

    It has no parameters: an index on an expression is used only for the identical expression.
    """
    return f"details #>> '{{labels,{name}}}'"


class Message(Table, table=True):
    """One accepted send; the row that answers a replayed Idempotency-Key.

    `held_allowance` and `held_credits` are the parts of its hold in `month`, the month of
    acceptance. `completed_at` is set when its workflow has no work left.
    """

    __tablename__: ClassVar[str] = "message"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id", "delivery_mode"], ["tenant.id", "tenant.delivery_mode"]),
        one_of("delivery_mode", DeliveryMode),
        # The key comes first, so that a message is found by its key alone.
        UniqueConstraint("tenant_id", "idempotency_key", "operation", "scope"),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("channel", Channel),
        one_of("type", MessageType),
        one_of("status", MessageStatus),
        one_of("error_code", ErrorCode, optional=True),
        not_negative("units", "billed_units", "held_allowance", "held_credits", "attempts"),
        CheckConstraint(
            "held_allowance + held_credits = CASE WHEN funded THEN units ELSE 0 END",
            name="fully_held",
        ),
        Index("ix_message_merchant", "tenant_id", "merchant_id", "id"),
        Index("ix_message_to", "tenant_id", "contact_key", "id"),
        Index(
            "ix_message_heard",
            "tenant_id",
            "merchant_id",
            "contact_key",
            "id",
            postgresql_where=text("channel IN ('SMS', 'VOICE')"),
        ),
        Index("ix_message_channel", "tenant_id", "channel", "id"),
        Index("ix_message_status", "tenant_id", "status", "id"),
        Index("ix_message_type", "tenant_id", "type", "id"),
        Index("ix_message_accepted", "tenant_id", "accepted_at"),
        *(
            Index(
                f"ix_message_call_{kind}",
                "tenant_id",
                text(f"({label})"),
                "id",
                postgresql_where=text("channel = 'VOICE'"),
            )
            for kind, label in (
                ("tenant", call_label("tenantId")),
                ("source_system", call_label("sourceSystem")),
                ("use_case", call_label("useCase")),
            )
        ),
        Index("ix_message_sweep", "sweep_at", postgresql_where=text("completed_at IS NULL")),
        # Over all tenants: the type first, because the sweeper works by priority.
        Index(
            "ix_message_ready",
            "type",
            "tenant_id",
            "ready_at",
            "sweep_at",
            postgresql_where=text("completed_at IS NULL AND ready_at IS NOT NULL"),
        ),
        Index(
            "ix_message_tried",
            "tenant_id",
            "accepted_at",
            postgresql_where=text("completed_at IS NULL AND attempts > 0"),
        ),
        # The messages of a batch in order, and its counts without reading their rows.
        Index(
            "ix_message_batch",
            "tenant_id",
            "batch_id",
            "id",
            postgresql_include=["status", "completed_at"],
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        Index(
            "ix_message_chunk",
            "tenant_id",
            "chunk_id",
            postgresql_where=text("chunk_id IS NOT NULL"),
        ),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int | None = Field(
        default=None,
        sa_type=BigInteger,
        nullable=True,
        description="None for direct e-mail that belongs to the tenant itself.",
    )
    delivery_mode: DeliveryMode = Field(
        sa_type=String(16), description="That of the tenant; a row never changes it."
    )
    channel: Channel = Field(sa_type=String(8))
    type: MessageType = Field(sa_type=String(16))
    contact_key: str = contact_key_column(description="Of the recipient, or the first of several.")
    to_contact: str = Field(sa_type=String(320), description="The recipient as it was given.")
    sender: str = Field(sa_type=String(320))
    body: str = Field(sa_type=Text)
    details: dict[str, Any] = Field(
        default_factory=dict,
        sa_type=JSONB,
        description="What only this channel has: subject, time-outs, further recipients.",
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSONB, description="The integrator's metadata."
    )

    batch_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    chunk_id: int | None = Field(
        default=None,
        sa_type=BigInteger,
        nullable=True,
        description="Set while it is sent by the workflow of a chunk, not by its own.",
    )

    operation: str = Field(sa_type=String(32))
    scope: str = Field(sa_type=String(24))
    idempotency_key: str | None = Field(default=None, sa_type=String(255), nullable=True)
    fingerprint: str = Field(sa_type=String(64))

    status: MessageStatus = Field(sa_type=String(16))
    error_code: ErrorCode | None = Field(default=None, sa_type=String(32), nullable=True)
    provider_code: str | None = Field(default=None, sa_type=String(64), nullable=True)
    provider: str | None = Field(default=None, sa_type=String(32), nullable=True)
    account: str | None = Field(
        default=None,
        sa_type=String(32),
        nullable=True,
        description="The account of the latest attempt at its provider.",
    )
    attempts: int = Field(sa_type=SmallInteger, default=0)

    units: int = Field(description="What it costs when billed; held at acceptance.")
    billed_units: int = 0
    month: str = Field(sa_type=String(7), description="YYYY-MM of acceptance, UTC.")
    funded: bool = Field(description="False: nothing is held, it is only metered.")
    held_allowance: int
    held_credits: int

    accepted_at: datetime = timestamp()
    due_at: datetime = timestamp(description="Not before this; sendAt, else acceptance.")
    expires_at: datetime | None = optional_timestamp()
    held_back_at: datetime | None = optional_timestamp(
        description="When it was first not sent because its merchant was inactive."
    )
    sent_at: datetime | None = optional_timestamp()
    completed_at: datetime | None = optional_timestamp()
    corrected_at: datetime | None = optional_timestamp()
    sweep_at: datetime = timestamp(description="When the sweeper looks after it next.")
    ready_at: datetime | None = optional_timestamp(
        description="When a worker is to look at it, which so far has no attempt; null once it has."
    )

    def identity(self, tenant_public_id: int) -> MessageIdentity:
        """Return its identity; raises ValueError for a row that is not stored yet."""
        if self.id is None:
            raise ValueError("the message is not stored yet")
        return MessageIdentity(
            tenant_id=self.tenant_id,
            tenant_public_id=tenant_public_id,
            message_id=self.id,
            public_id=self.public_id,
            merchant_id=self.merchant_id or 0,
            operation=self.operation,
            scope=self.scope,
            idempotency_key=self.idempotency_key,
        )


class MessageRecipient(Table, table=True):
    """A further recipient of a direct e-mail, so that it is found by each of its addresses."""

    __tablename__: ClassVar[str] = "message_recipient"
    __table_args__ = (
        Index("ix_message_recipient_message", "tenant_id", "message_id"),
        ForeignKeyConstraint(["tenant_id", "message_id"], ["message.tenant_id", "message.id"]),
    )

    tenant_id: int = tenant_key()
    contact_key: str = contact_key_column(primary_key=True)
    message_id: int = Field(primary_key=True, sa_type=BigInteger)


class MessageMetadata(Table, table=True):
    """One pair of a message's metadata, so that messages are found by it (decision 72).

    A table of its own: an update of a message does not write to its index.
    """

    __tablename__: ClassVar[str] = "message_metadata"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "message_id"], ["message.tenant_id", "message.id"]),
    )

    tenant_id: int = tenant_key()
    pair: UUID = Field(
        primary_key=True, sa_type=Uuid, description="See models.rules.messages.metadata."
    )
    message_id: int = Field(primary_key=True, sa_type=BigInteger)


class Attempt(Table, table=True):
    """One call to a provider, committed as REQUESTED before a byte is sent."""

    __tablename__: ClassVar[str] = "attempt"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "message_id"], ["message.tenant_id", "message.id"]),
        one_of("state", AttemptState),
        one_of("error_code", ErrorCode, optional=True),
        CheckConstraint("number >= 1", name="number"),
        # A provider's message id belongs to one attempt.
        Index(
            "ux_attempt_provider_message",
            "tenant_id",
            "provider",
            "account",
            "provider_message_id",
            unique=True,
            postgresql_where=text("provider_message_id IS NOT NULL"),
        ),
        # Over all tenants: the watcher reads recent attempts.
        Index("ix_attempt_requested", "requested_at"),
        # Over all tenants: they may share an account, whose list does not tell them apart.
        Index(
            "ix_attempt_equal",
            "equal_key",
            "requested_at",
            postgresql_where=text("equal_key IS NOT NULL"),
        ),
    )

    tenant_id: int = tenant_key()
    message_id: int = Field(primary_key=True, sa_type=BigInteger)
    number: int = Field(primary_key=True, sa_type=SmallInteger)
    provider: str = Field(sa_type=String(32))
    account: str = Field(
        default=DEFAULT_ACCOUNT,
        sa_type=String(32),
        sa_column_kwargs={"server_default": DEFAULT_ACCOUNT},
        description="The account at the provider.",
    )
    state: AttemptState = Field(sa_type=String(16))
    requested_at: datetime = timestamp()
    deadline: datetime = timestamp(description="No byte is written after it.")
    finished_at: datetime | None = optional_timestamp()
    lost_at: datetime | None = optional_timestamp(description="When its answer was given up.")
    report_wait_until: datetime | None = optional_timestamp(
        description="Until then its worker looks for the report by itself: no signal is needed."
    )
    provider_message_id: str | None = Field(
        default=None,
        sa_type=String(128),
        nullable=True,
        description="Told by the provider's answer, by a look-up or by the first report.",
    )
    error_code: ErrorCode | None = Field(default=None, sa_type=String(32), nullable=True)
    everywhere: bool = Field(default=False, description="Any provider would refuse it as well.")
    provider_code: str | None = Field(default=None, sa_type=String(64), nullable=True)
    equal_key: int | None = Field(
        default=None,
        sa_type=BigInteger,
        nullable=True,
        description="Hash of vendor, sender, recipient and text where a vendor can only list.",
    )


class Receipt(Table, table=True):
    """One report of a provider, stored once; open until it is applied to the message."""

    __tablename__: ClassVar[str] = "receipt"
    __table_args__ = (
        UniqueConstraint("tenant_id", "provider", "account", "event_id"),
        ForeignKeyConstraint(
            ["tenant_id", "message_id", "attempt"],
            ["attempt.tenant_id", "attempt.message_id", "attempt.number"],
        ),
        one_of("status", ReportStatus),
        Index("ix_receipt_message", "tenant_id", "message_id", "id"),
        Index("ix_receipt_open", "look_at", postgresql_where=text("applied_at IS NULL")),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    provider: str = Field(sa_type=String(32))
    account: str = Field(
        default=DEFAULT_ACCOUNT,
        sa_type=String(32),
        sa_column_kwargs={"server_default": DEFAULT_ACCOUNT},
        description="The account at the provider.",
    )
    event_id: str = Field(sa_type=String(128))
    message_id: int = Field(sa_type=BigInteger)
    attempt: int = Field(sa_type=SmallInteger)
    status: ReportStatus = Field(sa_type=String(16))
    phase: str = Field(sa_type=String(32), description="The provider's own word, for the trail.")
    recipient: str | None = Field(default=None, sa_type=String(320), nullable=True)
    contact_key: str | None = contact_key_column(
        default=None, nullable=True, description="Of the recipient, if one is named."
    )
    duration_seconds: int | None = Field(default=None, nullable=True)
    error_code: ErrorCode | None = Field(default=None, sa_type=String(32), nullable=True)
    provider_code: str | None = Field(default=None, sa_type=String(64), nullable=True)
    price: Decimal | None = Field(
        default=None,
        sa_type=Numeric(18, 6),
        nullable=True,
        description="What the provider says the whole message costs, USD.",
    )
    price_settled: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": text("false")},
        description="No other price comes.",
    )
    reported_at: datetime = timestamp(description="The provider's own time.")
    received_at: datetime = timestamp()
    look_at: datetime = timestamp(description="When the sweeper looks after it next.")
    applied_at: datetime | None = optional_timestamp()
