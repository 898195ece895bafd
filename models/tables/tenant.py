"""Tables of tenants, their API keys and their senders."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Identity,
    Index,
    Numeric,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlmodel import Field

from models.enums import DeliveryMode, KeyScope
from models.rules.senders.sender_choice import needs_registration
from models.rules.tenants.allowed_countries import HOME
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


class Tenant(Table, table=True):
    """One integrator; every other row belongs to exactly one."""

    __tablename__: ClassVar[str] = "tenant"
    __table_args__ = (
        UniqueConstraint("public_id"),
        UniqueConstraint("name"),
        # Referenced by rows with a delivery mode; the mode never changes.
        UniqueConstraint("id", "delivery_mode"),
        one_of("delivery_mode", DeliveryMode),
        not_negative("otps_per_10_minutes", "otps_per_day", "new_recipients_per_hour"),
        CheckConstraint("daily_spending_limit >= 0", name="spending_limit"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    public_id: int = public_id_column()
    name: str = Field(sa_type=String(64))
    delivery_mode: DeliveryMode = Field(sa_type=String(16))
    custom_prices: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": text("false")},
        description="Its own keys, not those of its merchants, may order credits at any price.",
    )
    resend_after_window: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": text("false")},
        description="A message that a provider's list lacks after the window is sent again.",
    )
    otps_per_10_minutes: int | None = Field(
        default=None,
        nullable=True,
        description="To one contact. Of this and the next two: 0 is no limit, None the default.",
    )
    otps_per_day: int | None = Field(default=None, nullable=True)
    new_recipients_per_hour: int | None = Field(
        default=None, nullable=True, description="Of one merchant, behind one prefix."
    )
    country: str = Field(
        default=HOME,
        sa_type=String(2),
        sa_column_kwargs={"server_default": HOME},
        description="Its own, ISO 3166.",
    )
    allowed_countries: list[str] | None = Field(
        default=None,
        sa_column=Column(ARRAY(String(2)), nullable=True),
        description="Where its texts and calls may go; * is anywhere. None: in LIVE mode its own "
        "country, else anywhere.",
    )
    daily_spending_limit: Decimal | None = Field(
        default=None, sa_type=Numeric(12, 2), nullable=True, description="USD; None: no limit."
    )
    created_at: datetime = timestamp()


_SCOPES: Final = ", ".join(f"'{scope.value}'::varchar" for scope in KeyScope)


class ApiKey(Table, table=True):
    """A key and secret of a tenant or of one of its merchants. Of the secret only a hash is stored.

    A key is not deleted but revoked.
    """

    __tablename__: ClassVar[str] = "api_key"
    __table_args__ = (
        unique_public_id(),
        # Unique across tenants: a caller is identified by the key alone.
        UniqueConstraint("key_hash"),
        Index(
            "ix_api_key_live",
            "tenant_id",
            "merchant_id",
            "id",
            postgresql_where=text("revoked_at IS NULL"),
        ),
        CheckConstraint(f"cardinality(scopes) > 0 AND scopes <@ ARRAY[{_SCOPES}]", name="scopes"),
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    name: str = Field(sa_type=String(100))
    key: str = Field(sa_type=String(64), description="It identifies a caller, and is no secret.")
    key_hash: str = Field(sa_type=String(64), description="What a caller is looked up by.")
    secret_hash: str = Field(sa_type=String(64))
    scopes: list[str] = Field(
        default_factory=lambda: [scope.value for scope in KeyScope],
        sa_column=Column(
            ARRAY(String(16)),
            nullable=False,
            server_default=text("'{" + ",".join(KeyScope) + "}'"),
        ),
        description="What it may do, in the order of KeyScope.",
    )
    expires_at: datetime | None = optional_timestamp(description="None: it does not expire.")
    last_used_at: datetime | None = optional_timestamp(
        description="The minute of its last authenticated request; written a little later."
    )
    created_at: datetime = timestamp()
    revoked_at: datetime | None = optional_timestamp()


def _needs_registration(context: DefaultExecutionContext) -> bool:
    """Compute the column from the number of the inserted row; later changes do not repeat it."""
    values: dict[str, str] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return needs_registration(values["number"])


class SenderNumber(Table, table=True):
    """A number that messages are sent from, of one merchant or of the tenant's shared pool.

    Without a limit there is no pacing. `id` replaces the number where it must not be visible. A
    number that is being bought is claimed: it already identifies its tenant, but is not sent from.
    """

    __tablename__: ClassVar[str] = "sender_number"
    __table_args__ = (
        unique_public_id(),
        UniqueConstraint("tenant_id", "id"),
        Index("ix_sender_number_merchant", "tenant_id", "merchant_id", "ready", "ring"),
        Index(
            "ix_sender_number_pool",
            "tenant_id",
            "ring",
            postgresql_where=text("merchant_id IS NULL AND provider IS NULL"),
        ),
        CheckConstraint("segments_per_second > 0 AND calls_per_second > 0", name="limits"),
        CheckConstraint(
            "claimed_at IS NULL OR (provider IS NOT NULL AND merchant_id IS NOT NULL)", name="claim"
        ),
        ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
    )

    # Primary key across tenants: an inbound message finds its tenant by the number.
    number: str = Field(primary_key=True, sa_type=String(16))
    tenant_id: int = Field(sa_type=BigInteger)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), nullable=False))
    public_id: int = public_id_column()
    merchant_id: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    provider: str | None = Field(
        default=None,
        sa_type=String(32),
        nullable=True,
        description="The registry it was bought at; None: an operator added it.",
    )
    account: str | None = Field(
        default=None,
        sa_type=String(32),
        nullable=True,
        description="The account it was bought through; None: an operator added it.",
    )
    claimed_at: datetime | None = optional_timestamp(
        description="While it is being bought: since when. None: it may be sent from."
    )
    segments_per_second: Decimal | None = Field(
        default=None, sa_type=Numeric(9, 3), nullable=True, description="Of SMS; None: no limit."
    )
    next_segment_at: datetime | None = optional_timestamp(description="The next free slot.")
    calls_per_second: Decimal | None = Field(default=None, sa_type=Numeric(9, 3), nullable=True)
    next_call_at: datetime | None = optional_timestamp()
    registered_at: datetime | None = optional_timestamp(
        description="Since when it is assigned to an approved campaign, or vouched for."
    )
    needs_registration: bool | None = Field(
        default=None,
        sa_column=Column(
            Boolean, default=_needs_registration, server_default=text("true"), nullable=False
        ),
        description="Carriers take texts from it only once it is registered: computed from the "
        "number when the row is inserted, and not again.",
    )
    ready: bool | None = Field(
        default=None,
        sa_column=Column(
            Boolean, Computed("registered_at IS NOT NULL OR NOT needs_registration", persisted=True)
        ),
        description="Carriers take texts from it; follows `registered_at`. The choice of a sender "
        "uses only this.",
    )
    ring: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, Computed("hashtextextended(number, 0)", persisted=True)),
        description="Its place among all numbers, by which one is chosen.",
    )
    created_at: datetime = timestamp()


class SenderAddress(Table, table=True):
    """An address that a tenant's e-mail is sent from."""

    __tablename__: ClassVar[str] = "sender_address"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),)

    tenant_id: int = tenant_key()
    address: str = Field(primary_key=True, sa_type=String(320))
    created_at: datetime = timestamp()
