"""registered senders"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | Sequence[str] | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


_WORDS = "error_code IS NULL OR error_code IN ('BAD_DESTINATION', 'UNREACHABLE', 'OPTED_OUT', 'EXPIRED', 'PROVIDER_REFUSED', 'DELIVERY_FAILED', 'NO_PROVIDER', 'MERCHANT_INACTIVE', 'CONSENT_OPTED_OUT', 'CONSENT_REQUIRED', 'RECIPIENT_SUPPRESSED', 'OUTSIDE_HOURS', 'SENDER_NOT_REGISTERED', 'DELIVERY_UNKNOWN')"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_message_heard",
        "message",
        ["tenant_id", "merchant_id", "to_key", "id"],
        unique=False,
        postgresql_where=sa.text("channel IN ('SMS', 'VOICE')"),
    )
    op.add_column(
        "sender_number", sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.drop_index(op.f("ix_sender_number_tenant_id"), table_name="sender_number")
    op.create_index("ix_sender_number_merchant", "sender_number", ["tenant_id", "merchant_id"])
    # One word more: SENDER_NOT_REGISTERED.
    for table in ("message", "attempt"):
        name = op.f(f"ck_{table}_error_code")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, _WORDS)
