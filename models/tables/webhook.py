"""Tables of webhooks to integrators: endpoints, and the outbox of deliveries."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.enums import (
    WebhookDeliveryStatus,
    WebhookDisabledReason,
    WebhookEventType,
    WebhookSubject,
)
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

_PENDING = text("status = 'PENDING'")


class WebhookEndpoint(Table, table=True):
    """One address of an integrator that events are sent to.

    Its secret is derived from the server's webhook key, its public id and `secret_version`; it is
    not stored. A deleted endpoint keeps its row until its deliveries are deleted.
    """

    __tablename__: ClassVar[str] = "webhook_endpoint"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        one_of("disabled_reason", WebhookDisabledReason, optional=True),
        CheckConstraint("disabled_reason IS NULL OR NOT active", name="disabled"),
        CheckConstraint("deleted_at IS NULL OR NOT active", name="deleted"),
        CheckConstraint("secret_version >= 1", name="secret_version"),
        CheckConstraint("concurrency >= 1", name="concurrency"),
        not_negative("failures"),
        Index(
            "ix_webhook_endpoint_merchant",
            "tenant_id",
            "merchant_id",
            "id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Over all tenants: housekeeping looks for deleted endpoints.
        Index("ix_webhook_endpoint_deleted", "id", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int = Field(
        default=0, sa_type=BigInteger, description="Only its events; 0: those of the whole tenant."
    )
    url: str = Field(sa_type=Text)
    events: list[WebhookEventType] = Field(
        default_factory=list, sa_type=JSONB, description="Types it is sent; empty: all."
    )
    description: str | None = Field(default=None, sa_type=String(200), nullable=True)
    active: bool = True
    disabled_reason: WebhookDisabledReason | None = Field(
        default=None, sa_type=String(8), nullable=True
    )
    disabled_at: datetime | None = optional_timestamp()
    secret_version: int = Field(default=1)
    previous_secret_until: datetime | None = optional_timestamp(
        description="Until then deliveries are signed with the previous secret as well."
    )
    failing_since: datetime | None = optional_timestamp(
        description="Time of the first failed attempt since the last success."
    )
    failures: int = Field(default=0, description="Failed attempts since the last success.")
    concurrency: int = Field(
        default=1, sa_type=SmallInteger, description="Deliveries that may be in flight at once."
    )
    awake_since: datetime | None = optional_timestamp(
        description="When its workflow was woken; null while the workflow waits or does not run."
    )
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
    deleted_at: datetime | None = optional_timestamp()


class WebhookDelivery(Table, table=True):
    """One event for one endpoint: the outbox.

    The trigger `record_webhook_event` inserts it in the transaction that makes the event true
    (decision 73). `state` holds what the event says and its rows may lose later: status, units,
    codes and times. It holds no text, contact or secret; the rest is read when it is delivered.
    """

    __tablename__: ClassVar[str] = "webhook_delivery"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(
            ["tenant_id", "endpoint_id"], ["webhook_endpoint.tenant_id", "webhook_endpoint.id"]
        ),
        one_of("type", WebhookEventType),
        one_of("subject", WebhookSubject),
        one_of("status", WebhookDeliveryStatus),
        not_negative("attempts"),
        # By status, so that a list of one status reads no others; a list of all merges the three.
        Index(
            "ix_webhook_delivery_endpoint",
            "tenant_id",
            "endpoint_id",
            "status",
            "created_at",
            "id",
        ),
        Index(
            "ix_webhook_delivery_due",
            "tenant_id",
            "endpoint_id",
            "due_at",
            "id",
            postgresql_where=_PENDING,
        ),
        Index(
            "ix_webhook_delivery_subject",
            "tenant_id",
            "endpoint_id",
            "subject",
            "subject_id",
            "number",
            "id",
            postgresql_where=_PENDING,
        ),
        # Over all tenants: housekeeping deletes old deliveries.
        Index("ix_webhook_delivery_created", "created_at"),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    endpoint_id: int = Field(sa_type=BigInteger)
    event_id: int = Field(
        sa_type=BigInteger, description="Random; equal for all endpoints that get the event."
    )
    type: WebhookEventType = Field(sa_type=String(24))
    merchant_id: int = Field(sa_type=BigInteger, description="0: the tenant itself.")
    subject: WebhookSubject = Field(sa_type=String(12))
    subject_id: int = Field(sa_type=BigInteger, description="Row id; 0 where there is none.")
    number: int = Field(
        sa_type=BigInteger, description="Order of the events of one subject; there may be gaps."
    )
    state: dict[str, Any] = Field(sa_type=JSONB)
    status: WebhookDeliveryStatus = Field(sa_type=String(12))
    attempts: int = Field(default=0, sa_type=SmallInteger)
    due_at: datetime | None = optional_timestamp(
        description="Time of the next attempt; null while an earlier event of the subject is "
        "pending, and once it ended."
    )
    last_attempt_at: datetime | None = optional_timestamp()
    last_status_code: int | None = Field(default=None, sa_type=SmallInteger, nullable=True)
    last_error: str | None = Field(default=None, sa_type=String(32), nullable=True)
    last_duration_ms: int | None = Field(default=None, nullable=True)
    last_response: str | None = Field(
        default=None, sa_type=Text, nullable=True, description="The first 1 KiB of the answer."
    )
    created_at: datetime = timestamp()
