"""sender limits"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "sender_number", sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False)
    )
    op.add_column(
        "sender_number",
        sa.Column("segments_per_second", sa.Numeric(precision=9, scale=3), nullable=True),
    )
    op.add_column(
        "sender_number", sa.Column("next_segment_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "sender_number",
        sa.Column("calls_per_second", sa.Numeric(precision=9, scale=3), nullable=True),
    )
    op.add_column(
        "sender_number", sa.Column("next_call_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_unique_constraint(
        op.f("uq_sender_number_tenant_id_id"), "sender_number", ["tenant_id", "id"]
    )
    op.create_check_constraint(
        op.f("ck_sender_number_limits"),
        "sender_number",
        "segments_per_second > 0 AND calls_per_second > 0",
    )
    op.create_table(
        "sender_line",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_sender_line_channel")
        ),
        sa.CheckConstraint("units >= 1", name=op.f("ck_sender_line_units")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_sender_line_message"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sender_id"],
            ["sender_number.tenant_id", "sender_number.id"],
            name=op.f("fk_sender_line_sender_number"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "message_id", name=op.f("pk_sender_line")),
    )
    op.create_index(
        "ix_sender_line_granted",
        "sender_line",
        ["tenant_id", "sender_id", "channel", "granted_at"],
        unique=False,
    )
    op.create_index(
        "ix_sender_line_merchant",
        "sender_line",
        ["tenant_id", "sender_id", "channel", "priority", "merchant_id", "turn"],
        unique=False,
        postgresql_where=sa.text("granted_at IS NULL"),
    )
    op.create_index(
        "ix_sender_line_next",
        "sender_line",
        ["tenant_id", "sender_id", "channel", "priority", "turn", "seq"],
        unique=False,
        postgresql_where=sa.text("granted_at IS NULL"),
    )
