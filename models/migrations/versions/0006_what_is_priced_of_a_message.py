"""what is priced of a message"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "usage_record", sa.Column("cost_units", sa.Integer(), server_default="0", nullable=False)
    )
    op.execute("UPDATE usage_record SET cost_units = units WHERE units > 0")
    op.drop_constraint(op.f("ck_usage_record_not_negative"), "usage_record")
    op.create_check_constraint(
        op.f("ck_usage_record_not_negative"),
        "usage_record",
        "units >= 0 AND cost_units >= 0 AND cost >= 0 AND carrier_fee >= 0 AND markup >= 0",
    )
