"""Batches, their lines, and chunks of messages that are sent together"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "1004"
down_revision: str | Sequence[str] | None = "1003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# 52 random bits, exact in a JSON number.
_PUBLIC_ID = (
    "GREATEST(1, CAST(CAST('x' || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 13)"
    " AS bit(52)) AS bigint))"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_batch()
    _create_batch_line()
    _create_message_chunk()
    _index_messages()


def _create_batch() -> None:
    op.create_table(
        "batch",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("scope", sa.String(length=24), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("key_base", sa.String(length=249), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_line", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("canceled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_batch_channel")),
        sa.CheckConstraint("accepted >= 0 AND refused >= 0", name=op.f("ck_batch_not_negative")),
        sa.CheckConstraint(
            "next_line = accepted + refused + 1 AND next_line <= total + 1",
            name=op.f("ck_batch_decided_lines"),
        ),
        sa.CheckConstraint(
            "(decided_at IS NOT NULL) = (next_line = total + 1)",
            name=op.f("ck_batch_all_lines_decided"),
        ),
        sa.CheckConstraint(
            "decided_at IS NOT NULL OR sweep_at IS NOT NULL", name=op.f("ck_batch_swept")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_batch_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_batch")),
        sa.UniqueConstraint(
            "tenant_id",
            "idempotency_key",
            "scope",
            name=op.f("uq_batch_tenant_id_idempotency_key_scope"),
        ),
        sa.UniqueConstraint("tenant_id", "public_id", name=op.f("uq_batch_tenant_id_public_id")),
    )
    op.create_index(
        "ix_batch_sweep",
        "batch",
        ["sweep_at"],
        unique=False,
        postgresql_where=sa.text("sweep_at IS NOT NULL"),
    )
    op.create_index(
        "ix_batch_undecided",
        "batch",
        ["tenant_id"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NULL"),
    )


def _create_batch_line() -> None:
    op.create_table(
        "batch_line",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=True),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("refusal_code", sa.String(length=64), nullable=True),
        sa.Column("refusal_detail", sa.Text(), nullable=True),
        sa.CheckConstraint("line >= 1", name=op.f("ck_batch_line_line")),
        sa.CheckConstraint(
            "num_nonnulls(request, message_id, refusal_code) = 1",
            name=op.f("ck_batch_line_decided_or_not"),
        ),
        sa.CheckConstraint(
            "(refusal_code IS NULL) = (refusal_detail IS NULL)",
            name=op.f("ck_batch_line_refusal_with_detail"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "batch_id"],
            ["batch.tenant_id", "batch.id"],
            name=op.f("fk_batch_line_batch"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "batch_id", "line", name=op.f("pk_batch_line")),
    )


def _create_message_chunk() -> None:
    op.create_table(
        "message_chunk",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.BigInteger(), server_default=sa.text(_PUBLIC_ID), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_message_chunk_channel")
        ),
        sa.CheckConstraint(
            "type IN ('OTP', 'TRANSACTIONAL', 'REMINDER', 'NOTIFICATION', 'MARKETING')",
            name=op.f("ck_message_chunk_type"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "batch_id"],
            ["batch.tenant_id", "batch.id"],
            name=op.f("fk_message_chunk_batch"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_message_chunk_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_message_chunk")),
        sa.UniqueConstraint(
            "tenant_id", "public_id", name=op.f("uq_message_chunk_tenant_id_public_id")
        ),
    )
    op.create_index(
        "ix_message_chunk_batch", "message_chunk", ["tenant_id", "batch_id", "id"], unique=False
    )


def _index_messages() -> None:
    op.create_index(
        "ix_message_batch",
        "message",
        ["tenant_id", "batch_id", "id"],
        unique=False,
        postgresql_include=["status", "completed_at"],
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_index(
        "ix_message_chunk",
        "message",
        ["tenant_id", "chunk_id"],
        unique=False,
        postgresql_where=sa.text("chunk_id IS NOT NULL"),
    )
