"""When destinations with a limit were sent to."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, DateTime, ForeignKeyConstraint, Index, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from models.tables.base import Table, tenant_key, timestamp


class DestinationWindow(Table, table=True):
    """The latest sends to one contact, or to new recipients of a merchant behind one prefix.

    It holds no more times than its limit, and is deleted once the last of them is too old to count.
    """

    __tablename__: ClassVar[str] = "destination_window"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        Index("ix_destination_window_expires", "expires_at"),
    )

    tenant_id: int = tenant_key()
    merchant_id: int = Field(
        primary_key=True,
        sa_type=BigInteger,
        sa_column_kwargs={"autoincrement": False},
        description="Of a prefix; 0 for a contact, which all merchants of the tenant share.",
    )
    destination_key: str = Field(
        primary_key=True, sa_type=String(72), description="Keyed hash of the contact or prefix."
    )
    sent_at: list[datetime] = Field(sa_type=ARRAY(DateTime(timezone=True)))
    expires_at: datetime = timestamp(description="From then on no limit counts any of the times.")
