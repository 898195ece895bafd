"""Tables of the health of provider accounts, shared by all workers.

They belong to the installation, not to a tenant: the circuit is the operator's.
"""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Index, SmallInteger, String
from sqlmodel import Field

from models.rules.accounts.circuit import CircuitReason
from models.tables.base import Table, not_negative, one_of, optional_timestamp, timestamp

_ERROR_LENGTH = 128


class AccountHealth(Table, table=True):
    """Attempts with an account in ten seconds, of one group of tenants.

    Unlogged, and empty after a crash of the server: evidence older than a minute counts no more.
    """

    __tablename__: ClassVar[str] = "account_health"
    __table_args__ = (
        not_negative("attempts", "failures", "slow", "latency_ms"),
        CheckConstraint("failures <= attempts AND slow <= attempts", name="parts"),
        Index("ix_account_health_bucket", "bucket"),
        {"prefixes": ["UNLOGGED"]},
    )

    account: str = Field(primary_key=True, sa_type=String(32))
    bucket: datetime = timestamp(primary_key=True, description="Start of the ten seconds.")
    tenant_group: int = Field(primary_key=True, sa_type=SmallInteger)
    attempts: int
    failures: int = Field(description="Not processed, or the answer was lost.")
    slow: int = Field(description="Took longer than the budget of the account.")
    latency_ms: int = Field(sa_type=BigInteger, description="Sum over all attempts.")


class AccountCircuit(Table, table=True):
    """The circuit of an account; without a row it is closed."""

    __tablename__: ClassVar[str] = "account_circuit"
    __table_args__ = (one_of("reason", CircuitReason, optional=True), not_negative("openings"))

    account: str = Field(primary_key=True, sa_type=String(32))
    version: int = Field(
        sa_type=BigInteger, description="Grows with every change; a change names the one it read."
    )
    tenant_group: int | None = Field(
        default=None,
        sa_type=SmallInteger,
        nullable=True,
        description="The only group of tenants it is open for; null: all.",
    )
    reason: str | None = Field(default=None, sa_type=String(16), nullable=True)
    openings: int = 0
    opened_at: datetime | None = optional_timestamp()
    open_until: datetime | None = optional_timestamp(
        description="From then on one attempt at a time is a probe; null while it is closed."
    )
    closed_at: datetime | None = optional_timestamp()
    probe_until: datetime | None = optional_timestamp(
        description="When the lease of the latest probe ends."
    )
    last_error: str | None = Field(
        default=None, sa_type=String(_ERROR_LENGTH), nullable=True, description="No contact in it."
    )
    last_error_at: datetime | None = optional_timestamp()
