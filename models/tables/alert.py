"""Table of alerts."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, text
from sqlmodel import Field

from models.enums import AlertSeverity, AlertType, Channel
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


class Alert(Table, table=True):
    """One alert, open until its cause is gone; raising it again only increments its count.

    `merchant_id` 0 means the tenant itself, an empty `channel` none. `subject` distinguishes alerts
    of one type: a provider, a month. It holds no private data.
    """

    __tablename__: ClassVar[str] = "alert"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        CheckConstraint(
            "channel IN ('', " + ", ".join(f"'{c.value}'" for c in Channel) + ")", name="channel"
        ),
        one_of("type", AlertType),
        one_of("severity", AlertSeverity),
        CheckConstraint("count >= 1", name="count"),
        Index(
            "ux_alert_open",
            "tenant_id",
            "merchant_id",
            "channel",
            "type",
            "threshold",
            "subject",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_alert_merchant", "tenant_id", "merchant_id", "id"),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int = Field(default=0, sa_type=BigInteger)
    channel: str = Field(default="", sa_type=String(8))
    type: AlertType = Field(sa_type=String(24))
    threshold: int = Field(default=0, description="Percent; 0 where there is none.")
    subject: str = Field(default="", sa_type=String(64))
    severity: AlertSeverity = Field(sa_type=String(12))
    message: str = Field(sa_type=String(500))
    count: int = Field(default=1, description="How often it was raised while open.")
    created_at: datetime = timestamp()
    raised_at: datetime = timestamp(description="When it was raised last.")
    resolved_at: datetime | None = optional_timestamp()
