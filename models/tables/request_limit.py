"""Table of the callers' rate limits, shared by all API processes."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Double
from sqlmodel import Field

from models.tables.base import Table, tenant_key, timestamp


class RequestBucket(Table, table=True):
    """The token bucket of one API key, or of a tenant (`key_id` 0).

    The table is unlogged, and empty after a crash of the server: a missing bucket counts as full.
    """

    __tablename__: ClassVar[str] = "request_bucket"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012 - SQLAlchemy's own form

    tenant_id: int = tenant_key()
    key_id: int = tenant_key()
    tokens: float = Field(
        sa_type=Double, description="Below zero: more was served than there was, to be made up for."
    )
    demand: float = Field(
        sa_type=Double, description="Requests served lately by all processes; decays."
    )
    settled_at: datetime = timestamp(description="When a process last settled its requests.")
