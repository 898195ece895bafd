"""Shared servers of the tests: one Postgres and one Temporal server per test process.

Tests share them and never clean up: each uses a tenant of its own.
"""

import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId
from alembic import command
from hypothesis import settings as hypothesis
from temporalio.client import Client

from cli.database import alembic_config
from cli.dev.postgres import EmbeddedPostgres
from cli.dev.temporal import EmbeddedTemporal
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_owner
from tests.shown_ids import mark_row_ids
from tests.stack import async_url
from workflows.client import register_search_attributes
from workflows.payloads import data_converter

# Tests are collected without it, which takes a fifth less time: all that is made then stays.
gc.disable()

# No example has a time limit: the machine may be busy.
hypothesis.register_profile("steady", deadline=None)
hypothesis.load_profile("steady")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of an xdist_group on one worker.

    xdist 3.8 stores the group where pytest 9.2 no longer reads it; without this every worker would
    start stacks of its own.
    """
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and os.environ.get("PYTEST_XDIST_WORKER"):
            item._id = NodeId.parse(f"{item.nodeid}@{group.args[0]}")


def pytest_collection_finish() -> None:
    """Collect garbage again, but not among the tests, which stay until the end."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> None:
    """Remove the caller's settings from the environment."""
    for name in list(os.environ):
        if name.startswith(("HEXAVOX_", "TEMPORAL_")) or name == "DATABASE_URL":
            del os.environ[name]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A fast server without durability, removed afterwards."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def database_url(postgres: EmbeddedPostgres) -> str:
    """URL of a migrated database, in plain postgresql:// form."""
    command.upgrade(alembic_config(async_url(postgres.url)), "head")
    mark_row_ids(postgres.url)
    return postgres.url


@pytest.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """A connection pool on it."""
    database = Database(async_url(database_url), pool_size=20, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


@pytest.fixture
async def owner(database: Database) -> Owner:
    """A tenant of the test, with one merchant and a sender number."""
    return await make_owner(database)


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTemporal]:
    """A server with the settings of `hexavox dev`."""
    folder: Path = tmp_path_factory.mktemp("temporal")
    with EmbeddedTemporal(database=folder / "temporal.db") as server:
        yield server


@pytest.fixture(scope="session")
async def client(temporal: EmbeddedTemporal) -> Client:
    """A client of it, with our search attributes registered."""
    client = await Client.connect(temporal.address, data_converter=data_converter)
    await register_search_attributes(client)
    return client
