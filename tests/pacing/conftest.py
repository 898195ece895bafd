"""A Temporal server and a database of their own: workers process every queue and row."""

from collections.abc import AsyncIterator, Iterator

import pytest

from cli.dev.postgres import EmbeddedPostgres
from cli.dev.temporal import EmbeddedTemporal
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.pacing.harness import SenderHarness, open_harness
from tests.stack import async_url, make_database
from workflows.client import register_search_attributes as register


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTemporal]:
    """A server whose task queues no other test's worker serves."""
    folder = tmp_path_factory.mktemp("pacing-temporal")
    with EmbeddedTemporal(database=folder / "temporal.db") as server:
        yield server


@pytest.fixture(scope="session")
def own_url(postgres: EmbeddedPostgres) -> str:
    return async_url(make_database(postgres, "pacing"))


@pytest.fixture
async def harness(own_server: EmbeddedTemporal, own_url: str) -> AsyncIterator[SenderHarness]:
    """A rate-limited sender; its workflows are terminated afterwards."""
    database = Database(own_url, pool_size=20, contact_keys=CONTACT_KEYS)
    harness = await open_harness(database, own_url, own_server.address)
    client = await harness.client()
    await register(client)
    yield harness
    await harness.close()
    await database.close()
