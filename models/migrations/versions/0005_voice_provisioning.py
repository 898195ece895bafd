"""voice provisioning"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "voice_credential",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("realm", sa.String(length=255), nullable=False),
        sa.Column("ha1", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("pushed_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "username = 't' || tenant_id || 'm' || merchant_id",
            name=op.f("ck_voice_credential_username"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_voice_credential_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_voice_credential_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_voice_credential")),
        sa.UniqueConstraint(
            "tenant_id", "merchant_id", name=op.f("uq_voice_credential_tenant_id_merchant_id")
        ),
    )
    op.create_index(
        "ix_voice_credential_unpushed",
        "voice_credential",
        ["changed_at"],
        unique=False,
        postgresql_where=sa.text("pushed_version < version"),
    )
    op.create_index("ix_voice_credential_username", "voice_credential", ["username"], unique=False)
    op.create_table(
        "voice_presence",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("credential_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=True),
        sa.Column("contact", sa.String(length=512), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('ONLINE', 'BUSY', 'AWAY', 'OFFLINE')", name=op.f("ck_voice_presence_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "credential_id"],
            ["voice_credential.tenant_id", "voice_credential.id"],
            name="fk_voice_presence_credential",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "credential_id", name=op.f("pk_voice_presence")),
    )
