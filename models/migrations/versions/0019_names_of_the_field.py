"""the queue of a sender and the wait for a report under the names that the code has for them"""

from collections.abc import Sequence

from alembic import op

revision: str = "0019"
down_revision: str | Sequence[str] | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEXES = ("granted", "merchant", "next")
_CONSTRAINTS = ("ck_{}_channel", "ck_{}_units", "fk_{}_message", "fk_{}_sender_number", "pk_{}")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.rename_table("sender_line", "sender_queue")
    op.alter_column("sender_queue", "joined_at", new_column_name="queued_at")
    op.alter_column("attempt", "attended_until", new_column_name="report_wait_until")
    for name in _INDEXES:
        op.execute(f"ALTER INDEX ix_sender_line_{name} RENAME TO ix_sender_queue_{name}")
    for name in _CONSTRAINTS:
        old, new = name.format("sender_line"), name.format("sender_queue")
        op.execute(f"ALTER TABLE sender_queue RENAME CONSTRAINT {old} TO {new}")
