"""Table of the load sample, shared by the API processes."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.tables.base import Table, timestamp


class LoadSample(Table, table=True):
    """The latest load sample of all tenants: one row, written once a second.

    It holds ids and counts only. The process that locks the row takes the sample.
    """

    __tablename__: ClassVar[str] = "load_sample"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(primary_key=True, sa_type=SmallInteger, default=1)
    sampled_at: datetime = timestamp()
    waiting: dict[str, Any] = Field(
        sa_type=JSONB,
        description="By message type: lag, age of the oldest waiting message in seconds; tenants, "
        "how many each has.",
    )
    counted_at: datetime = timestamp(description="When open messages were last counted.")
    count_again_at: datetime = timestamp()
    open: dict[str, Any] = Field(
        sa_type=JSONB, description="How many are open, of tenants that have very many."
    )
