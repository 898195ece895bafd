"""Tenants in another delivery mode than the fixtures'."""

from sqlalchemy import text

from models.enums import DeliveryMode
from models.session import WriteSession

_TABLES = {
    "tenant": "id",
    "message": "tenant_id",
    "payment": "tenant_id",
    "credit_account": "tenant_id",
}


async def make_over(db: WriteSession, tenant_id: int, mode: DeliveryMode) -> None:
    """Move a fixture's tenant to another mode, with all its rows.

    The database refuses this, so it is done as superuser, without triggers and foreign keys.
    """
    await db.execute(text("SET LOCAL session_replication_role = replica"))
    for table, column in _TABLES.items():
        statement = f"UPDATE {table} SET delivery_mode = :mode WHERE {column} = :id"
        await db.execute(text(statement), {"mode": mode, "id": tenant_id})
    await db.execute(text("SET LOCAL session_replication_role = origin"))
