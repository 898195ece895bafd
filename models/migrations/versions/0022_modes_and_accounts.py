"""delivery mode and provider account of rows; batch and chunk of a message"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | Sequence[str] | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WITH_MODE = ("message", "payment", "credit_account")
_WITH_ACCOUNT = ("attempt", "receipt", "payment", "brand", "campaign", "messaging_number")

# Foreign keys hold the mode of a tenant that has rows; this holds that of one that has none yet.
_FIXED = """
    CREATE FUNCTION refuse_another_delivery_mode() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the delivery mode of a tenant never changes'
              USING ERRCODE = 'check_violation', TABLE = 'tenant', COLUMN = 'delivery_mode';
    END $$;
    CREATE TRIGGER delivery_mode_is_fixed BEFORE UPDATE OF delivery_mode ON tenant
        FOR EACH ROW WHEN (OLD.delivery_mode IS DISTINCT FROM NEW.delivery_mode)
        EXECUTE FUNCTION refuse_another_delivery_mode();
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_unique_constraint(
        op.f("uq_tenant_id_delivery_mode"), "tenant", ["id", "delivery_mode"]
    )
    for table in _WITH_MODE:
        _add_mode(table)
    op.execute(_FIXED)
    for table in _WITH_ACCOUNT:
        op.add_column(
            table,
            sa.Column("account", sa.String(length=32), nullable=False, server_default="default"),
        )
    op.add_column("message", sa.Column("account", sa.String(length=32), nullable=True))
    op.add_column("message", sa.Column("batch_id", sa.BigInteger(), nullable=True))
    op.add_column("message", sa.Column("chunk_id", sa.BigInteger(), nullable=True))
    _put_account_into_keys()


def _add_mode(table: str) -> None:
    op.add_column(table, sa.Column("delivery_mode", sa.String(length=16), nullable=True))
    op.execute(
        f"UPDATE {table} SET delivery_mode = tenant.delivery_mode"  # noqa: S608 - names of ours
        f" FROM tenant WHERE tenant.id = {table}.tenant_id"
    )
    op.alter_column(table, "delivery_mode", nullable=False)
    op.create_check_constraint(
        op.f(f"ck_{table}_delivery_mode"), table, "delivery_mode IN ('SIMULATOR', 'LIVE')"
    )
    op.create_foreign_key(
        op.f(f"fk_{table}_tenant"),
        table,
        "tenant",
        ["tenant_id", "delivery_mode"],
        ["id", "delivery_mode"],
    )


def _put_account_into_keys() -> None:
    for name, table, gateway, id_ in (
        ("ux_attempt_provider_message", "attempt", "provider", "provider_message_id"),
        ("ux_payment_charge", "payment", "gateway", "charge_id"),
    ):
        op.drop_index(name, table)
        op.create_index(
            name,
            table,
            ["tenant_id", gateway, "account", id_],
            unique=True,
            postgresql_where=sa.text(f"{id_} IS NOT NULL"),
        )
    op.drop_constraint(op.f("uq_receipt_tenant_id_provider_event_id"), "receipt")
    op.create_unique_constraint(
        op.f("uq_receipt_tenant_id_provider_account_event_id"),
        "receipt",
        ["tenant_id", "provider", "account", "event_id"],
    )
