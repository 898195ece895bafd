"""keyed hashes of contacts instead of contacts in comparable form"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | Sequence[str] | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_KEYED = ("consent", "consent_change", "suppression", "message_recipient")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Rows of before cannot be keyed here: the key is not the database's to know.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT 1 FROM message) OR EXISTS (SELECT 1 FROM consent_change) "
        "THEN RAISE EXCEPTION 'data of a version before 1.0 cannot be kept: use a new database'; "
        "END IF; END $$"
    )
    op.create_table(
        "contact_key",
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("check_value", sa.String(length=64), nullable=False),
        sa.CheckConstraint("single", name=op.f("ck_contact_key_single")),
        sa.PrimaryKeyConstraint("single", name=op.f("pk_contact_key")),
    )
    op.alter_column("message", "to_key", new_column_name="contact_key", type_=sa.String(length=80))
    for table in _KEYED:
        op.alter_column(table, "contact_key", type_=sa.String(length=80))
    op.create_index(
        "ix_message_recipient_message", "message_recipient", ["tenant_id", "message_id"]
    )
    op.add_column("receipt", sa.Column("contact_key", sa.String(length=80), nullable=True))
    op.add_column("inbound_message", sa.Column("contact_key", sa.String(length=80), nullable=False))
    op.drop_index("ix_inbound_message_sender", table_name="inbound_message")
    op.create_index(
        "ix_inbound_message_contact", "inbound_message", ["tenant_id", "contact_key", "id"]
    )
