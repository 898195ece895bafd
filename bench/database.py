"""A durable Postgres for the benchmarks, and its data."""

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
"""Autovacuum does this within a minute or two. Until then cached plans were made for empty tables,
for which all indexes cost the same.
"""


async def analyze(database: Database) -> None:
    """Analyze, so that plans are those of a database in use."""
    async with database.statement() as db:
        await db.execute(text(ANALYZE))


@asynccontextmanager
async def durable(*, pool_size: int = 20) -> AsyncIterator[Database]:
    """Start a migrated server, and remove it afterwards."""
    async with AsyncExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="hexavox-bench-")))
        postgres = held.enter_context(EmbeddedPostgres(folder / "postgres"))
        held.callback(postgres.discard)
        held.callback(postgres.stop)
        url = make_database(postgres, "bench")
        database = Database(async_url(url), pool_size=pool_size, contact_keys=CONTACT_KEYS)
        held.push_async_callback(database.close)
        yield database
