"""Tables of SIP users and their posted presence."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field

from models.enums import PresenceState
from models.tables.base import (
    Table,
    identity,
    one_of,
    optional_timestamp,
    public_id_column,
    tenant_key,
    timestamp,
    unique_public_id,
)


class VoiceCredential(Table, table=True):
    """A merchant's SIP user. Its password is derived from id and version, and not stored.

    The name consists of the public ids of tenant and merchant, so it is unique across tenants
    without a unique index that spans them.
    """

    __tablename__: ClassVar[str] = "voice_credential"
    __table_args__ = (
        unique_public_id(),
        UniqueConstraint("tenant_id", "merchant_id"),
        ForeignKeyConstraint(["tenant_id", "merchant_id"], ["merchant.tenant_id", "merchant.id"]),
        CheckConstraint("username ~ '^t[0-9a-f]+m[0-9a-f]+$'", name="username"),
        CheckConstraint("version >= 1", name="version"),
        # A registrar knows only the name, and its queries have no tenant.
        Index("ix_voice_credential_username", "username"),
        Index(
            "ix_voice_credential_unpushed",
            "changed_at",
            postgresql_where=text("pushed_version < version"),
        ),
    )

    tenant_id: int = tenant_key()
    id: int | None = identity()
    public_id: int = public_id_column()
    merchant_id: int = Field(sa_type=BigInteger)
    username: str = Field(sa_type=String(64))
    realm: str = Field(sa_type=String(255))
    ha1: str = Field(sa_type=String(32), description="MD5 of username:realm:password (RFC 2617).")
    version: int
    pushed_version: int = Field(
        default=0, description="Known to a directory that must be told; 0 where it reads ours."
    )
    created_at: datetime = timestamp()
    changed_at: datetime = timestamp(description="When this version was made.")
    rotated_at: datetime | None = optional_timestamp()


class VoicePresence(Table, table=True):
    """The last posted presence of a SIP user. Expiry is checked on reading: then it is OFFLINE."""

    __tablename__: ClassVar[str] = "voice_presence"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "credential_id"],
            ["voice_credential.tenant_id", "voice_credential.id"],
            name="fk_voice_presence_credential",
        ),
        one_of("state", PresenceState),
    )

    tenant_id: int = tenant_key()
    credential_id: int = Field(primary_key=True, sa_type=BigInteger)
    state: PresenceState = Field(sa_type=String(8))
    user_agent: str | None = Field(default=None, sa_type=String(255), nullable=True)
    contact: str | None = Field(
        default=None, sa_type=String(512), nullable=True, description="A SIP address; never logged."
    )
    expires_at: datetime = timestamp()
    updated_at: datetime = timestamp()
