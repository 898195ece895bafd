"""Tables of spending: what each attempt reserves and costs, and the totals of a day."""

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Final

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKeyConstraint,
    Index,
    Numeric,
    SmallInteger,
    String,
)
from sqlmodel import BigInteger, Field

from models.tables.base import Table, not_negative, tenant_key

SHARDS: Final = 8
"""Rows of one total: concurrent claims that no limit serializes rarely wait for the same row."""


def _amount(**kwargs: Any) -> Any:
    """An exact amount of USD with six decimals."""
    return Field(sa_type=Numeric(18, 6), **kwargs)


class SpendingDay(Table, table=True):
    """A part of what an account, or a tenant, reserves and spends on a UTC day.

    `tenant_id` 0 means the account's total over all tenants, an empty `account` the tenant's total
    over all accounts; so there is no foreign key. A total is the sum of its shards.
    """

    __tablename__: ClassVar[str] = "spending_day"
    __table_args__ = (
        CheckConstraint("(tenant_id = 0) <> (account = '')", name="owner"),
        CheckConstraint(f"shard BETWEEN 0 AND {SHARDS - 1}", name="shard"),
        not_negative("reserved", "booked"),
        Index("ix_spending_day_day", "day"),
    )

    tenant_id: int = tenant_key()
    day: date = Field(primary_key=True, sa_type=Date, description="UTC day of the claims.")
    account: str = Field(primary_key=True, sa_type=String(32))
    shard: int = Field(
        primary_key=True,
        sa_type=SmallInteger,
        sa_column_kwargs={"autoincrement": False},
        description="The message's row id modulo the number of shards.",
    )
    reserved: Decimal = _amount(description="Of attempts whose price is not booked yet.")
    booked: Decimal = _amount(description="Posted cost and carrier fee of ended messages.")


class AttemptCost(Table, table=True):
    """What an attempt adds to the totals of its day; attempts without a row add nothing."""

    __tablename__: ClassVar[str] = "attempt_cost"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "message_id", "number"],
            ["attempt.tenant_id", "attempt.message_id", "attempt.number"],
        ),
        not_negative("reserved", "booked"),
    )

    tenant_id: int = tenant_key()
    message_id: int = Field(primary_key=True, sa_type=BigInteger)
    number: int = Field(primary_key=True, sa_type=SmallInteger)
    account: str = Field(sa_type=String(32))
    day: date = Field(sa_type=Date, description="UTC day of the claim.")
    reserved: Decimal = _amount()
    booked: Decimal = _amount()
