"""Tables of purchases of credits and of the gateway's events."""

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

from models.enums import (
    Channel,
    ChargeState,
    DeliveryMode,
    PaymentFailure,
    PaymentStatus,
    ReversalState,
)
from models.rules.accounts.names import DEFAULT_ACCOUNT
from models.tables.base import (
    Table,
    identity,
    one_of,
    optional_timestamp,
    public_id_column,
    tenant_key,
    timestamp,
    unique_public_id,
)

_DISPUTES = ", ".join(f"'{s.value}'" for s in ReversalState if s is not ReversalState.REFUNDED)
_EVENTS = ", ".join(f"'{s.value}'" for s in (*ChargeState, *ReversalState))


class Payment(Table, table=True):
    """One purchase of credits, paid or not; the row that answers a replayed Idempotency-Key.

    An integrator's reference belongs to one payment of a merchant, unless that payment failed.
    `completed_at` is set when its workflow has no work left, and cleared if the gateway charges
    after all.
    """

    __tablename__: ClassVar[str] = "payment"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id", "delivery_mode"], ["tenant.id", "tenant.delivery_mode"]),
        one_of("delivery_mode", DeliveryMode),
        UniqueConstraint("tenant_id", "operation", "scope", "idempotency_key"),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("channel", Channel),
        one_of("status", PaymentStatus),
        one_of("failure", PaymentFailure, optional=True),
        CheckConstraint(
            f"dispute IS NULL OR dispute IN ({_DISPUTES}) AND disputed_at IS NOT NULL",
            name="dispute",
        ),
        CheckConstraint("units > 0 AND amount_cents > 0", name="positive"),
        CheckConstraint("refunded_cents >= 0", name="refunded_cents"),
        CheckConstraint(
            "refund_stuck_at IS NULL OR (refund_due_at IS NOT NULL AND completed_at IS NOT NULL)",
            name="refund_stuck",
        ),
        CheckConstraint(
            "fulfilled_at IS NULL OR (status = 'SUCCEEDED' AND refund_due_at IS NULL)",
            name="fulfilled",
        ),
        CheckConstraint("status <> 'SUCCEEDED' OR taken_at IS NOT NULL", name="taken"),
        CheckConstraint("(status = 'REFUNDED') = (refunded_at IS NOT NULL)", name="refunded"),
        Index(
            "ux_payment_reference",
            "tenant_id",
            "merchant_id",
            "reference_id",
            unique=True,
            postgresql_where=text("failed_at IS NULL"),
        ),
        # A gateway's charge pays for one payment.
        Index(
            "ux_payment_charge",
            "tenant_id",
            "gateway",
            "account",
            "charge_id",
            unique=True,
            postgresql_where=text("charge_id IS NOT NULL"),
        ),
        Index("ix_payment_merchant", "tenant_id", "merchant_id", "id"),
        Index("ix_payment_sweep", "sweep_at", postgresql_where=text("completed_at IS NULL")),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int = Field(sa_type=BigInteger)
    delivery_mode: DeliveryMode = Field(
        sa_type=String(16), description="That of the tenant; a row never changes it."
    )
    channel: Channel = Field(sa_type=String(8))
    units: int
    amount_cents: int
    currency: str = Field(sa_type=String(3))
    payment_method_id: str = Field(
        sa_type=String(255), description="The gateway's own; goes there and nowhere else."
    )
    reference_id: str = Field(sa_type=String(255), description="The integrator's own.")
    note: str | None = Field(default=None, sa_type=String(500), nullable=True)

    operation: str = Field(sa_type=String(32))
    scope: str = Field(sa_type=String(24))
    idempotency_key: str | None = Field(default=None, sa_type=String(255), nullable=True)
    fingerprint: str = Field(sa_type=String(64))

    status: PaymentStatus = Field(sa_type=String(16))
    failure: PaymentFailure | None = Field(default=None, sa_type=String(24), nullable=True)
    provider_code: str | None = Field(default=None, sa_type=String(64), nullable=True)
    gateway: str | None = Field(default=None, sa_type=String(32), nullable=True)
    account: str = Field(
        default=DEFAULT_ACCOUNT,
        sa_type=String(32),
        sa_column_kwargs={"server_default": DEFAULT_ACCOUNT},
        description="The account at the gateway.",
    )
    charge_id: str | None = Field(default=None, sa_type=String(128), nullable=True)
    refund_id: str | None = Field(default=None, sa_type=String(128), nullable=True)
    next_action_url: str | None = Field(
        default=None, sa_type=String(2048), nullable=True, description="Where the payer must act."
    )
    captured_cents: int | None = Field(
        default=None,
        sa_type=BigInteger,
        nullable=True,
        description="What the gateway charged, if it is not what was ordered.",
    )
    captured_currency: str | None = Field(default=None, sa_type=String(3), nullable=True)
    refunded_cents: int = Field(
        default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")}
    )
    dispute: ReversalState | None = Field(default=None, sa_type=String(16), nullable=True)

    accepted_at: datetime = timestamp()
    deadline: datetime | None = optional_timestamp(
        description="No byte of a request to charge is written after it."
    )
    given_up_at: datetime | None = optional_timestamp(description="No charge is asked for since.")
    taken_at: datetime | None = optional_timestamp(description="When we learnt of the money.")
    mismatch_at: datetime | None = optional_timestamp(
        description="When the gateway first reported another amount or currency as charged."
    )
    disputed_at: datetime | None = optional_timestamp(
        description="The gateway's time of the newest report about a dispute."
    )
    failed_at: datetime | None = optional_timestamp(description="Frees the reference, for good.")
    fulfilled_at: datetime | None = optional_timestamp()
    refund_due_at: datetime | None = optional_timestamp(
        description="No credits come since; set anew when an operator has the refund retried."
    )
    refund_stuck_at: datetime | None = optional_timestamp(
        description="The refund is still owed, and waits for an operator."
    )
    refunded_at: datetime | None = optional_timestamp()
    completed_at: datetime | None = optional_timestamp()
    sweep_at: datetime = timestamp(description="When the sweeper looks after it next.")


class PaymentEvent(Table, table=True):
    """One event of a gateway, stored once, in the transaction that applied it."""

    __tablename__: ClassVar[str] = "payment_event"
    __table_args__ = (
        UniqueConstraint("tenant_id", "gateway", "event_id"),
        ForeignKeyConstraint(["tenant_id", "payment_id"], ["payment.tenant_id", "payment.id"]),
        CheckConstraint(f"state IN ({_EVENTS})", name="state"),
        Index("ix_payment_event_payment", "tenant_id", "payment_id", "id"),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    gateway: str = Field(sa_type=String(32))
    event_id: str = Field(sa_type=String(128))
    payment_id: int = Field(sa_type=BigInteger)
    state: ChargeState | ReversalState = Field(sa_type=String(16))
    charge_id: str = Field(sa_type=String(128))
    provider_code: str | None = Field(default=None, sa_type=String(64), nullable=True)
    reported_at: datetime = timestamp(description="The gateway's own time.")
    received_at: datetime = timestamp()
