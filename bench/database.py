"""A durable Postgres of the benchmark's own, and what fills it."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import text

from cli.dev.postgres import EmbeddedPostgres
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.stack import async_url, make_database

ANALYZE: Final = "ANALYZE"
"""What autovacuum does within a minute or two; until then each plan that is kept was made for empty
tables, where all indexes look alike."""


async def analyze(database: Database) -> None:
    """Let the plans of a new database be those of one in use."""
    async with database.statement() as db:
        await db.execute(text(ANALYZE))


@asynccontextmanager
async def durable(*, pool_size: int = 20) -> AsyncIterator[Database]:
    """Bring one up, migrated, and take it away afterwards."""
    async with AsyncExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="hexavox-bench-")))
        postgres = held.enter_context(EmbeddedPostgres(folder / "postgres"))
        held.callback(postgres.discard)
        held.callback(postgres.stop)
        url = make_database(postgres, "bench")
        database = Database(async_url(url), pool_size=pool_size, contact_keys=CONTACT_KEYS)
        held.push_async_callback(database.close)
        yield database
