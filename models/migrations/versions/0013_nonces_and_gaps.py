"""nonces of payments, gaps in prices by kind"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | Sequence[str] | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WAITS = sa.text("state = 'PROVISIONAL'")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "payment", sa.Column("nonce", sa.String(length=8), server_default="", nullable=False)
    )
    op.drop_index("ix_usage_record_gap", table_name="usage_record")
    op.create_index(
        "ix_usage_record_gap",
        "usage_record",
        ["tenant_id", "gap", "day"],
        postgresql_where=_WAITS,
    )
    op.create_index(
        "ix_usage_record_unpriced",
        "usage_record",
        ["tenant_id", "gap", "channel", "provider", "country", "day", "merchant_id"],
        postgresql_where=_WAITS,
    )
