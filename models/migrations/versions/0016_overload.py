"""overload"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0016"
down_revision: str | Sequence[str] | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "load_sample",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waiting", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count_again_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_load_sample_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_load_sample")),
    )
    op.execute(
        "INSERT INTO load_sample (id, sampled_at, waiting, counted_at, count_again_at, open)"
        " VALUES (1, '2000-01-01Z', '{}', '2000-01-01Z', '2000-01-01Z', '{}')"
    )
    # Null for what is there already: it is not measured, and the sweeper looks after it by age.
    op.add_column("message", sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_message_ready",
        "message",
        ["type", "tenant_id", "ready_at", "sweep_at"],
        unique=False,
        postgresql_where=sa.text("completed_at IS NULL AND ready_at IS NOT NULL"),
    )
