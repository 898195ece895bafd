"""price list; one attempt for a provider's message, one payment for a charge"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | Sequence[str] | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# An attempt without the provider's id takes the first that was reported of it, as it does from now
# on. An id that two attempts share proves neither: both go without.
_ADOPT = """
    UPDATE attempt SET provider_message_id = told.id
      FROM (SELECT DISTINCT ON (tenant_id, message_id, attempt)
                   tenant_id, message_id, attempt, provider_message_id AS id
              FROM receipt WHERE provider_message_id IS NOT NULL
             ORDER BY tenant_id, message_id, attempt, id) told
     WHERE attempt.tenant_id = told.tenant_id AND attempt.message_id = told.message_id
       AND attempt.number = told.attempt AND attempt.provider_message_id IS NULL
"""
_PART = """
    UPDATE attempt SET provider_message_id = NULL
      FROM (SELECT tenant_id, provider, provider_message_id AS id FROM attempt
             WHERE provider_message_id IS NOT NULL
             GROUP BY 1, 2, 3 HAVING count(*) > 1) shared
     WHERE attempt.tenant_id = shared.tenant_id AND attempt.provider = shared.provider
       AND attempt.provider_message_id = shared.id
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_ADOPT)
    op.execute(_PART)
    op.drop_column("receipt", "provider_message_id")
    op.create_index(
        "ux_attempt_provider_message",
        "attempt",
        ["tenant_id", "provider", "provider_message_id"],
        unique=True,
        postgresql_where=sa.text("provider_message_id IS NOT NULL"),
    )
    op.create_index(
        "ux_payment_charge",
        "payment",
        ["tenant_id", "gateway", "charge_id"],
        unique=True,
        postgresql_where=sa.text("charge_id IS NOT NULL"),
    )
    op.add_column(
        "tenant",
        sa.Column("custom_prices", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_table(
        "price",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount_cents", sa.Integer(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('SMS', 'VOICE', 'EMAIL')", name=op.f("ck_price_channel")),
        sa.CheckConstraint("units > 0 AND amount_cents > 0", name=op.f("ck_price_positive")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "channel", "units", "currency", "valid_from", name=op.f("pk_price")
        ),
    )
