"""payments"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "payment",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payment_method_id", sa.String(length=255), nullable=False),
        sa.Column("reference_id", sa.String(length=255), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=24), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("failure", sa.String(length=24), nullable=True),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("gateway", sa.String(length=32), nullable=True),
        sa.Column("charge_id", sa.String(length=128), nullable=True),
        sa.Column("refund_id", sa.String(length=128), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refund_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sweep_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'REFUNDED') = (refunded_at IS NOT NULL)", name=op.f("ck_payment_refunded")
        ),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_payment_channel")),
        sa.CheckConstraint(
            "failure IS NULL OR failure IN ('DECLINED', 'CHARGE_FAILED', 'CANCELED', 'EXPIRED', 'NO_GATEWAY', 'MERCHANT_INACTIVE')",
            name=op.f("ck_payment_failure"),
        ),
        sa.CheckConstraint(
            "fulfilled_at IS NULL OR (status = 'SUCCEEDED' AND refund_due_at IS NULL)",
            name=op.f("ck_payment_fulfilled"),
        ),
        sa.CheckConstraint(
            "status <> 'SUCCEEDED' OR taken_at IS NOT NULL", name=op.f("ck_payment_taken")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'REQUIRES_ACTION', 'SUCCEEDED', 'FAILED', 'REFUNDED')",
            name=op.f("ck_payment_status"),
        ),
        sa.CheckConstraint("units > 0 AND amount_cents > 0", name=op.f("ck_payment_positive")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merchant_id"],
            ["merchant.tenant_id", "merchant.id"],
            name=op.f("fk_payment_merchant"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payment")),
        sa.UniqueConstraint(
            "tenant_id",
            "operation",
            "scope",
            "idempotency_key",
            name=op.f("uq_payment_tenant_id_operation_scope_idempotency_key"),
        ),
    )
    op.create_index(
        "ix_payment_merchant", "payment", ["tenant_id", "merchant_id", "id"], unique=False
    )
    op.create_index(
        "ix_payment_sweep",
        "payment",
        ["sweep_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index(
        "ux_payment_reference",
        "payment",
        ["tenant_id", "merchant_id", "reference_id"],
        unique=True,
        postgresql_where=sa.text("failed_at IS NULL"),
    )
    op.create_table(
        "payment_event",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("charge_id", sa.String(length=128), nullable=False),
        sa.Column("provider_code", sa.String(length=64), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('PROCESSING', 'NEEDS_ACTION', 'SUCCEEDED', 'DECLINED', 'FAILED', 'CANCELED')",
            name=op.f("ck_payment_event_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["payment.tenant_id", "payment.id"],
            name=op.f("fk_payment_event_payment"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payment_event")),
        sa.UniqueConstraint(
            "tenant_id",
            "gateway",
            "event_id",
            name=op.f("uq_payment_event_tenant_id_gateway_event_id"),
        ),
    )
    op.create_index(
        "ix_payment_event_payment", "payment_event", ["tenant_id", "payment_id", "id"], unique=False
    )
    op.create_foreign_key(
        op.f("fk_ledger_entry_payment"),
        "ledger_entry",
        "payment",
        ["tenant_id", "payment_id"],
        ["tenant_id", "id"],
    )
