"""Table of steps that failed because of their message."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, String
from sqlmodel import Field

from models.tables.base import Table, tenant_key, timestamp


class StepFailure(Table, table=True):
    """Number of consecutive failures of one step caused by its message."""

    __tablename__: ClassVar[str] = "step_failure"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "message_id"], ["message.tenant_id", "message.id"]),
        CheckConstraint("failures >= 1", name="failures"),
    )

    tenant_id: int = tenant_key()
    message_id: int = Field(primary_key=True, sa_type=BigInteger)
    step: str = Field(primary_key=True, sa_type=String(32))
    failures: int
    reason: str = Field(sa_type=String(64), description="The type of the last error.")
    first_at: datetime = timestamp()
    last_at: datetime = timestamp()
