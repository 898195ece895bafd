"""Table of the prices of credits."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import CheckConstraint, String
from sqlmodel import Field

from models.enums import Channel
from models.tables.base import Table, one_of, tenant_key, timestamp


class Price(Table, table=True):
    """Price of a pack of units, from `valid_from` until a newer version.

    `tenant_id` 0 means every tenant, so there is no foreign key. Without an amount the units are no
    longer sold in this currency.
    """

    __tablename__: ClassVar[str] = "price"
    __table_args__ = (
        one_of("channel", Channel),
        CheckConstraint("units > 0 AND amount_cents > 0", name="positive"),
    )

    tenant_id: int = tenant_key()
    channel: Channel = Field(primary_key=True, sa_type=String(8))
    units: int = Field(primary_key=True)
    currency: str = Field(primary_key=True, sa_type=String(3))
    valid_from: datetime = timestamp(primary_key=True)
    amount_cents: int | None = Field(
        default=None, nullable=True, description="In the smallest unit of the currency."
    )
    imported_at: datetime = timestamp()
