"""poison inputs: UNPROCESSABLE, and how often a step failed by its message"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | Sequence[str] | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WORDS = (
    "BAD_DESTINATION",
    "UNREACHABLE",
    "OPTED_OUT",
    "EXPIRED",
    "PROVIDER_REFUSED",
    "DELIVERY_FAILED",
    "NO_PROVIDER",
    "MERCHANT_INACTIVE",
    "CONSENT_OPTED_OUT",
    "CONSENT_REQUIRED",
    "RECIPIENT_SUPPRESSED",
    "OUTSIDE_HOURS",
    "SENDER_NOT_REGISTERED",
    "DELIVERY_UNKNOWN",
    "UNPROCESSABLE",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "step_failure",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("failures >= 1", name=op.f("ck_step_failure_failures")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "message_id"],
            ["message.tenant_id", "message.id"],
            name=op.f("fk_step_failure_message"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "message_id", "step", name=op.f("pk_step_failure")),
    )
    listed = ", ".join(f"'{word}'" for word in _WORDS)
    for table in ("message", "attempt"):
        name = op.f(f"ck_{table}_error_code")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, f"error_code IS NULL OR error_code IN ({listed})")
