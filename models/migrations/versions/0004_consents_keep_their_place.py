"""consents keep their place in a list"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "consent", sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False)
    )
    op.drop_index(op.f("ix_consent_newest"), table_name="consent")
    op.drop_index(op.f("ix_consent_contact"), table_name="consent")
    op.create_index(
        "ix_consent_contact", "consent", ["tenant_id", "contact_key", "number"], unique=False
    )
    op.drop_index(op.f("ix_consent_merchant"), table_name="consent")
    op.create_index(
        "ix_consent_merchant", "consent", ["tenant_id", "merchant_id", "number"], unique=False
    )
    op.create_index("ix_consent_number", "consent", ["tenant_id", "number"], unique=False)
