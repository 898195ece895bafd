"""How Alembic reaches the database. Two migrating at once wait for each other."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from models.tables.registry import metadata

_LOCK = 0x48455841  # "HEXA"


def run() -> None:
    """Migrate in one transaction, alone."""
    engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_type=True,
            transaction_per_migration=False,
        )
        context.run_migrations()
    engine.dispose()


run()
