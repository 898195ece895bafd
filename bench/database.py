"""A durable Postgres of the benchmark's own, and what fills it."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from cli.embedded.postgres import EmbeddedPostgres
from models.session import Database
from tests.stack import make_database


@asynccontextmanager
async def durable(*, pool_size: int = 20) -> AsyncIterator[Database]:
    """Bring one up, migrated, and take it away afterwards."""
    async with AsyncExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="hexavox-bench-")))
        postgres = held.enter_context(EmbeddedPostgres(folder / "postgres"))
        held.callback(postgres.discard)
        held.callback(postgres.stop)
        url = make_database(postgres, "bench")
        database = Database(
            url.replace("postgresql://", "postgresql+psycopg://", 1), pool_size=pool_size
        )
        held.push_async_callback(database.close)
        yield database
