"""One stack for all end-to-end tests of a run; each test uses a tenant of its own.

It is stopped after the last of them: an idle stack still slows down later tests.
"""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from temporalio.client import Client

from cli.dev.postgres import EmbeddedPostgres
from cli.dev.temporal import EmbeddedTemporal
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.e2e.harness import Harness, Integrator
from tests.factories import load_sample
from tests.stack import Stack, async_url, make_database
from workflows.payloads import data_converter


@pytest.fixture(scope="package")
def own_temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTemporal]:
    """A server whose task queues no other test's worker serves."""
    folder = tmp_path_factory.mktemp("e2e-temporal")
    with EmbeddedTemporal(database=folder / "temporal.db") as server:
        yield server


@pytest.fixture(scope="package")
async def harness(
    postgres: EmbeddedPostgres,
    own_temporal: EmbeddedTemporal,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Harness]:
    """A running stack with the sample's rate card."""
    url = make_database(postgres, "e2e")
    database = Database(async_url(url), pool_size=5, contact_keys=CONTACT_KEYS)
    await load_sample(database)
    with Stack(url, own_temporal.address, tmp_path_factory.mktemp("e2e")) as stack:
        async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
            yield Harness(stack=stack, temporal=own_temporal, database=database, http=http)
    await database.close()


@pytest.fixture(scope="package")
async def temporal_client(own_temporal: EmbeddedTemporal) -> Client:
    """A client of the stack's Temporal server."""
    return await Client.connect(own_temporal.address, data_converter=data_converter)


@pytest.fixture
async def integrator(harness: Harness) -> Integrator:
    """A tenant of the test's own with an allowance of 1,000 SMS."""
    return await harness.integrator()
