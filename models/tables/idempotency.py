"""Table of answered requests, so that a late retry gets the same answer."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.tables.base import Table, tenant_key, timestamp


class IdempotencyRecord(Table, table=True):
    """One answered upsert. Sends and upgrades need none: their own row answers a retry."""

    __tablename__: ClassVar[str] = "idempotency_record"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        Index("ix_idempotency_record_age", "created_at"),
    )

    tenant_id: int = tenant_key()
    route: str = Field(
        primary_key=True, sa_type=String(100), description="Method and template of the path."
    )
    scope: str = Field(
        primary_key=True,
        sa_type=String(24),
        description="Row id of the merchant for a merchant's API key, else empty.",
    )
    idempotency_key: str = Field(primary_key=True, sa_type=String(255))
    fingerprint: str = Field(sa_type=String(64))
    answer: dict[str, Any] = Field(sa_type=JSONB)
    created_at: datetime = timestamp()
