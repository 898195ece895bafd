"""one owner for each number"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | Sequence[str] | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WHEN = sa.DateTime(timezone=True)

_BOUGHT = """
    UPDATE sender_number SET provider = bought.provider
      FROM messaging_number bought
     WHERE bought.number = sender_number.number
       AND bought.tenant_id = sender_number.tenant_id
       AND bought.merchant_id = sender_number.merchant_id
       AND bought.state IN ('ACTIVE', 'RELEASING', 'RELEASE_FAILED')
"""

# Whoever asked first has it; another who asked meanwhile buys in vain.
_CLAIMED = """
    INSERT INTO sender_number (number, tenant_id, merchant_id, provider, claimed_at, created_at)
    SELECT number, tenant_id, merchant_id, provider, created_at, created_at
      FROM messaging_number WHERE state = 'REQUESTED' ORDER BY created_at
        ON CONFLICT (number) DO NOTHING
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("sender_number", sa.Column("provider", sa.String(length=32), nullable=True))
    op.add_column("sender_number", sa.Column("claimed_at", _WHEN, nullable=True))
    op.create_check_constraint(
        op.f("ck_sender_number_claim"),
        "sender_number",
        "claimed_at IS NULL OR (provider IS NOT NULL AND merchant_id IS NOT NULL)",
    )
    op.execute(_BOUGHT)
    op.execute(_CLAIMED)
    for table in ("brand", "campaign", "messaging_number"):
        op.add_column(table, sa.Column("lost_at", _WHEN, nullable=True))
