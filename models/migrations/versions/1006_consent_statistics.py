"""Statistics that tell the planner how many consents a merchant has"""

from collections.abc import Sequence

from alembic import op

revision: str = "1006"
down_revision: str | Sequence[str] | None = "1004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # A merchant belongs to one tenant. Without this the planner multiplies both selectivities, and
    # expects one consent per merchant: then it reads all of a merchant instead of one by its key.
    op.execute(
        "CREATE STATISTICS consent_of_merchant (dependencies, ndistinct)"
        " ON tenant_id, merchant_id FROM consent"
    )
    op.execute("ANALYZE consent")


def downgrade() -> None:
    op.execute("DROP STATISTICS consent_of_merchant")
