"""alerts"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index("ix_attempt_requested", "attempt", ["requested_at"], unique=False)
    op.create_index(
        "ix_ledger_entry_upgrade",
        "ledger_entry",
        ["tenant_id", "merchant_id", "channel", "id"],
        unique=False,
        postgresql_where=sa.text("kind = 'TOPUP'"),
    )
