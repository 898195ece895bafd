"""prices and alerts"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "rate",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unit_cost", sa.Numeric(precision=12, scale=6), nullable=False),
        sa.Column("carrier_fee", sa.Numeric(precision=12, scale=6), nullable=False),
        sa.Column("markup_basis_points", sa.Integer(), nullable=False),
        sa.Column("markup_flat", sa.Numeric(precision=12, scale=6), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_rate_channel")),
        sa.CheckConstraint(
            "unit_cost >= 0 AND carrier_fee >= 0 AND markup_basis_points >= 0 AND markup_flat >= 0",
            name=op.f("ck_rate_not_negative"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "channel", "provider", "country", "valid_from", name=op.f("pk_rate")
        ),
    )
    op.create_table(
        "alert",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("severity", sa.String(length=12), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "channel IN ('', 'SMS', 'VOICE', 'EMAIL')", name=op.f("ck_alert_channel")
        ),
        sa.CheckConstraint(
            "severity IN ('INFO', 'WARNING', 'CRITICAL')", name=op.f("ck_alert_severity")
        ),
        sa.CheckConstraint(
            "type IN ('USAGE_THRESHOLD', 'LOW_CREDITS', 'CREDITS_EXHAUSTED', 'PROVIDER_DEGRADED', 'DELIVERY_UNKNOWN', 'PAYMENT_FAILED', 'COMPLIANCE_REJECTED', 'WEBHOOK_FAILING')",
            name=op.f("ck_alert_type"),
        ),
        sa.CheckConstraint("count >= 1", name=op.f("ck_alert_count")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_alert_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alert")),
    )
    op.create_index("ix_alert_merchant", "alert", ["tenant_id", "merchant_id", "id"], unique=False)
    op.create_index(
        "ux_alert_open",
        "alert",
        ["tenant_id", "merchant_id", "channel", "type", "threshold", "subject"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "usage_closing",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("fk_usage_closing_tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "day", name=op.f("pk_usage_closing")),
    )
    op.create_table(
        "usage_correction",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("cost", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column(
            "carrier_fee", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
        sa.Column("markup", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_usage_correction_channel")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["usage_record.tenant_id", "usage_record.message_id"],
            name=op.f("fk_usage_correction_usage_record"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_usage_correction")),
    )
    op.create_index(
        "ix_usage_correction_day",
        "usage_correction",
        ["tenant_id", "day", "merchant_id", "channel"],
        unique=False,
    )
    op.create_index(
        "ix_usage_correction_message", "usage_correction", ["tenant_id", "message_id"], unique=False
    )
    op.add_column("attempt", sa.Column("attended_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("receipt", sa.Column("price", sa.Numeric(precision=18, scale=6), nullable=True))
    op.add_column(
        "usage_day",
        sa.Column(
            "aws_cost", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
    )
    op.add_column(
        "usage_day",
        sa.Column(
            "provider_cost", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
    )
    op.add_column(
        "usage_day",
        sa.Column(
            "carrier_fees", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
    )
    op.add_column(
        "usage_day",
        sa.Column("markup", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
    )
    op.add_column(
        "usage_record", sa.Column("country", sa.String(length=2), server_default="", nullable=False)
    )
    op.add_column(
        "usage_record",
        sa.Column("cost", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
    )
    op.add_column(
        "usage_record",
        sa.Column(
            "carrier_fee", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False
        ),
    )
    op.add_column(
        "usage_record",
        sa.Column("markup", sa.Numeric(precision=18, scale=6), server_default="0", nullable=False),
    )
    op.add_column("usage_record", sa.Column("priced_by", sa.String(length=8), nullable=True))
    op.add_column("usage_record", sa.Column("gap", sa.String(length=16), nullable=True))
    op.create_index(
        "ix_usage_record_gap",
        "usage_record",
        ["tenant_id", "day"],
        unique=False,
        postgresql_where=sa.text("state = 'PROVISIONAL'"),
    )
    op.drop_constraint(op.f("ck_usage_record_not_negative"), "usage_record")
    op.create_check_constraint(
        op.f("ck_usage_record_not_negative"),
        "usage_record",
        "units >= 0 AND cost >= 0 AND carrier_fee >= 0 AND markup >= 0",
    )
    op.create_check_constraint(
        op.f("ck_usage_record_priced_by"),
        "usage_record",
        "priced_by IS NULL OR priced_by IN ('CARD', 'VENDOR')",
    )
    op.create_check_constraint(
        op.f("ck_usage_record_gap"),
        "usage_record",
        "gap IS NULL OR gap IN ('RATE_MISSING', 'VENDOR_PRICE')",
    )
