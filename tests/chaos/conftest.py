"""A stack whose services tests may kill; it is repaired after each test."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cli.dev.postgres import EmbeddedPostgres
from cli.dev.temporal import EmbeddedTemporal
from models.session import Database
from tests.chaos.two_accounts import write_providers_file
from tests.contacts import CONTACT_KEYS
from tests.e2e.harness import Harness, Integrator
from tests.stack import SHORT_WAITS, Stack, async_url, free_port, make_database


@pytest.fixture(scope="package")
def account_ports() -> dict[str, int]:
    """Ports of the vendors of two accounts; nothing listens there unless a test does."""
    return {"first": free_port(), "second": free_port()}


@pytest.fixture(scope="package")
async def status(
    postgres: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
    account_ports: dict[str, int],
) -> AsyncIterator[Harness]:
    """The stack, with a Temporal server that restarts on the same port."""
    folder: Path = tmp_path_factory.mktemp("chaos")
    temporal = EmbeddedTemporal(
        database=folder / "temporal.db", port=free_port(), ui_port=free_port()
    )
    url = make_database(postgres, "chaos")
    database = Database(async_url(url), pool_size=5, contact_keys=CONTACT_KEYS)
    settings = {
        **SHORT_WAITS,
        "HEXAVOX_PAYMENT_HORIZON": "PT9S",  # longer than a worker is down
        "HEXAVOX_SIMULATOR_DATA_DIR": str(folder),
        **write_providers_file(folder, account_ports),
    }
    with temporal, Stack(url, temporal.address, folder, settings) as stack:
        async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
            yield Harness(stack=stack, temporal=temporal, database=database, http=http)
    await database.close()


@pytest.fixture
async def harness(status: Harness) -> AsyncIterator[Harness]:
    """The stack, repaired before and after the test."""
    await _repair(status)
    yield status
    await _repair(status)


@pytest.fixture
async def integrator(harness: Harness) -> Integrator:
    """A tenant of the test with an allowance of 1,000 SMS."""
    return await harness.integrator()


async def _repair(harness: Harness) -> None:
    stack = harness.stack
    if not harness.temporal.running():
        await asyncio.to_thread(harness.temporal.start)
    for name in list(stack.processes):
        stack.thaw(name)
    for name in ("simulator", "worker", "api"):
        if not stack.runs(name):
            await asyncio.to_thread(stack.start, name)
    for name in set(stack.processes) - {"simulator", "worker", "api"}:
        await asyncio.to_thread(stack.stop, name)
    await harness.faults()
