"""How Alembic reaches the database. Two migrating at once wait for each other."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from models.database.limits import MIGRATION
from models.database.schema_version import refuse_unknown
from models.session import connect_options
from models.tables.all_tables import metadata

_LOCK = 0x48455841  # "HEXA"


def run() -> None:
    """Migrate in one transaction, alone.

    The other one that migrates is waited for as long as it takes. A table that somebody uses is
    waited for briefly, for whoever comes next waits behind us: see `cli.database.migrate`.
    """
    url = context.config.attributes["url"]
    engine = create_engine(
        url, poolclass=pool.NullPool, connect_args=connect_options(url, MIGRATION)
    )
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{MIGRATION.lock.total_seconds()}s'"))
        context.configure(
            connection=connection,
            target_metadata=metadata,
            compare_type=True,
            transaction_per_migration=False,
        )
        known = {script.revision for script in context.script.walk_revisions()}
        refuse_unknown(context.get_context().get_current_heads(), known)
        context.run_migrations()
    engine.dispose()


run()
