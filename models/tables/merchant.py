"""Table of merchants."""

from datetime import datetime, time
from typing import ClassVar

from sqlalchemy import ARRAY, ForeignKeyConstraint, String, Time, UniqueConstraint
from sqlmodel import Field

from models.tables.base import (
    Table,
    identity,
    not_negative,
    public_id_column,
    tenant_key,
    timestamp,
    unique_public_id,
)

_Zones = ARRAY(String(64))


class Merchant(Table, table=True):
    """One business that a tenant sends for, with its monthly allowances."""

    __tablename__: ClassVar[str] = "merchant"
    __table_args__ = (
        unique_public_id(),
        UniqueConstraint("tenant_id", "external_id"),
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        not_negative("sms_limit", "voice_minutes_limit", "email_limit"),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    external_id: str = Field(sa_type=String(64))
    display_name: str = Field(sa_type=String(200))
    active: bool
    sms_limit: int
    voice_minutes_limit: int
    email_limit: int
    timezone: str = Field(sa_type=String(64))
    marketing_from: time | None = Field(
        default=None,
        sa_type=Time,
        nullable=True,
        description="Narrows the hours of MARKETING, in the recipient's local time.",
    )
    marketing_until: time | None = Field(default=None, sa_type=Time, nullable=True)
    marketing_timezones: list[str] | None = Field(
        default=None,
        sa_type=_Zones,
        nullable=True,
        description="Zones that decide where no hour fits all zones of a number.",
    )
    help_text: str | None = Field(default=None, sa_type=String(320), nullable=True)
    support_contact: str | None = Field(
        default=None,
        sa_type=String(100),
        nullable=True,
        description="How recipients reach the merchant; named in the default answer to HELP.",
    )
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
