"""Tables of 10DLC brands, campaigns and numbers.

A row has at most one operation at the registry at a time. `submission` counts them and is part of
the reference under which the registry knows each. `deadline` is set while a call may have been made
whose outcome is not stored: it is looked up before another call. `taken_at` is set once the
registry has accepted the operation, `lost_at` while it does not find it nevertheless.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Numeric,
    String,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.rules.accounts.names import DEFAULT_ACCOUNT
from models.rules.registration.vocabulary import (
    TAKEN,
    AssignmentState,
    NumberState,
    NumberType,
    RegistrationState,
)
from models.tables.base import (
    Table,
    identity,
    not_negative,
    one_of,
    optional_timestamp,
    public_id_column,
    tenant_key,
    timestamp,
    unique_public_id,
)

_SILENT = text("sweep_at IS NOT NULL")
_TAKEN = ", ".join(f"'{state}'" for state in sorted(TAKEN))
NUMBER_IS_TAKEN: Final = literal_column(f"state IN ({_TAKEN})", Boolean)
"""The number belongs to the merchant, or is being bought for it."""


class Registered(Table):
    """Columns of all rows that are registered at a registry."""

    tenant_id: int = tenant_key()
    merchant_id: int = Field(sa_type=BigInteger)
    provider: str = Field(sa_type=String(32), description="The registry; its states are its own.")
    account: str = Field(
        default=DEFAULT_ACCOUNT,
        sa_type=String(32),
        sa_column_kwargs={"server_default": DEFAULT_ACCOUNT},
        description="The account at the registry.",
    )
    submission: int = Field(default=0, description="Operations so far; 0: never submitted.")
    vendor_id: str | None = Field(default=None, sa_type=String(128), nullable=True)
    vendor_state: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSONB, description="What only the adapter understands."
    )
    deadline: datetime | None = optional_timestamp(description="Of a call without an outcome.")
    taken_at: datetime | None = optional_timestamp(description="The registry has the operation.")
    lost_at: datetime | None = optional_timestamp(
        description="Since when the registry knows nothing of an operation that it had taken."
    )
    reasons: list[dict[str, Any]] = Field(
        default_factory=list,
        sa_type=JSONB,
        description="Why it was rejected, in words.",
    )
    sweep_at: datetime | None = optional_timestamp(
        description="When it is looked after; None while nothing is asked of the registry."
    )
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class Brand(Registered, table=True):
    """Legal data of a merchant for the carriers: one per merchant and account."""

    __tablename__: ClassVar[str] = "brand"
    __table_args__ = (
        unique_public_id(),
        UniqueConstraint("tenant_id", "merchant_id", "account"),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        one_of("state", RegistrationState),
        not_negative("submission", "revision"),
        Index("ix_brand_sweep", "sweep_at", postgresql_where=_SILENT),
    )

    id: int | None = identity()
    public_id: int = public_id_column()
    state: RegistrationState = Field(sa_type=String(16))
    revision: int = Field(default=1, description="How often it was written by the merchant.")
    profile: dict[str, Any] = Field(
        sa_type=JSONB, description="A BrandProfile; its EIN is never returned."
    )
    submitted_at: datetime | None = optional_timestamp()
    decided_at: datetime | None = optional_timestamp()
    review_since: datetime | None = optional_timestamp(
        description="While the registry is asked whether what it approved still is."
    )


class Campaign(Registered, table=True):
    """Content and opt-in of a merchant's messages; belongs to its brand."""

    __tablename__: ClassVar[str] = "campaign"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        ForeignKeyConstraint(["tenant_id", "brand_id"], ["brand.tenant_id", "brand.id"]),
        one_of("state", RegistrationState),
        not_negative("submission", "revision"),
        CheckConstraint("segments_per_second > 0", name="throughput"),
        Index("ix_campaign_merchant", "tenant_id", "merchant_id", "id"),
        Index("ix_campaign_sweep", "sweep_at", postgresql_where=_SILENT),
    )

    id: int | None = identity()
    public_id: int = public_id_column()
    brand_id: int = Field(sa_type=BigInteger)
    state: RegistrationState = Field(sa_type=String(16))
    revision: int = Field(default=1, description="How often it was written by the merchant.")
    profile: dict[str, Any] = Field(sa_type=JSONB, description="A CampaignProfile.")
    approved_profile: dict[str, Any] | None = Field(
        default=None,
        sa_type=JSONB(none_as_null=True),
        nullable=True,
        description="The profile that was approved last; None: none was.",
    )
    segments_per_second: Decimal | None = Field(
        default=None,
        sa_type=Numeric(9, 3),
        nullable=True,
        description="What all its numbers together may send, where the registry tells.",
    )
    submitted_at: datetime | None = optional_timestamp()
    decided_at: datetime | None = optional_timestamp()
    review_since: datetime | None = optional_timestamp(
        description="While the registry is asked whether what it approved still is."
    )


class MessagingNumber(Registered, table=True):
    """A number that a merchant bought, and its campaign.

    While it belongs to the merchant or is being bought, `sender_number` has it too: messages are
    sent from that row, and inbound texts find their tenant by it. `assignment` is None until the
    number is first assigned to a campaign.
    """

    __tablename__: ClassVar[str] = "messaging_number"
    __table_args__ = (
        unique_public_id(),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        ForeignKeyConstraint(["tenant_id", "campaign_id"], ["campaign.tenant_id", "campaign.id"]),
        one_of("type", NumberType),
        one_of("state", NumberState),
        one_of("assignment", AssignmentState, optional=True),
        not_negative("submission"),
        CheckConstraint("(assignment IS NULL) = (campaign_id IS NULL)", name="of_a_campaign"),
        Index(
            "ux_messaging_number_taken",
            "tenant_id",
            "number",
            unique=True,
            postgresql_where=NUMBER_IS_TAKEN,
        ),
        # An inbound text finds the last owner of a released number, over all tenants.
        Index(
            "ix_messaging_number_given_back",
            "number",
            "released_at",
            postgresql_where=text("state = 'RELEASED'"),
        ),
        Index("ix_messaging_number_merchant", "tenant_id", "merchant_id", "id"),
        Index("ix_messaging_number_sweep", "sweep_at", postgresql_where=_SILENT),
    )

    id: int | None = identity()
    public_id: int = public_id_column()
    number: str = Field(sa_type=String(16), description="E.164.")
    type: NumberType = Field(sa_type=String(16))
    state: NumberState = Field(sa_type=String(16))
    campaign_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    assignment: AssignmentState | None = Field(default=None, sa_type=String(16), nullable=True)
    bought_at: datetime | None = optional_timestamp()
    assigned_at: datetime | None = optional_timestamp()
    released_at: datetime | None = optional_timestamp()
