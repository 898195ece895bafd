"""Table of the versions of rate cards."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import Numeric, String
from sqlmodel import Field

from models.enums import Channel
from models.tables.base import Table, not_negative, one_of, tenant_key, timestamp


class Rate(Table, table=True):
    """Price of a unit, from `valid_from` until a newer version.

    `tenant_id` 0 holds the defaults, so there is no foreign key; an empty `country` means any. The
    markup of a message is its cost and carrier fee × basis points / 10,000, plus `markup_flat` per
    unit.
    """

    __tablename__: ClassVar[str] = "rate"
    __table_args__ = (
        one_of("channel", Channel),
        not_negative("unit_cost", "carrier_fee", "markup_basis_points", "markup_flat"),
    )

    tenant_id: int = tenant_key()
    channel: Channel = Field(primary_key=True, sa_type=String(8))
    provider: str = Field(primary_key=True, sa_type=String(32))
    country: str = Field(primary_key=True, sa_type=String(2))
    valid_from: datetime = timestamp(primary_key=True)
    unit_cost: Decimal = Field(sa_type=Numeric(12, 6), description="USD a unit.")
    carrier_fee: Decimal = Field(sa_type=Numeric(12, 6), description="USD a unit, kept apart.")
    markup_basis_points: int
    markup_flat: Decimal = Field(sa_type=Numeric(12, 6), description="USD a unit.")
    imported_at: datetime = timestamp()
