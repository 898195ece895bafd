"""Table of what operators set for provider accounts while everything runs."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import Boolean, CheckConstraint, Numeric, String, text
from sqlmodel import Field

from models.tables.base import Table, timestamp


class ProviderAccount(Table, table=True):
    """An account that an operator has switched off or limited; without a row it is neither.

    Accounts belong to the installation, not to a tenant. Everything else about an account,
    secrets included, is in the providers file only.
    """

    __tablename__: ClassVar[str] = "provider_account"
    __table_args__ = (CheckConstraint("daily_limit >= 0", name="limit"),)

    account: str = Field(primary_key=True, sa_type=String(32))
    enabled: bool = Field(
        default=True,
        sa_type=Boolean,
        sa_column_kwargs={"server_default": text("true")},
        description="False: no new attempt is made with it.",
    )
    daily_limit: Decimal | None = Field(
        default=None,
        sa_type=Numeric(12, 2),
        nullable=True,
        description="USD that may be spent in a day (UTC); None: no limit.",
    )
    changed_at: datetime = timestamp()
