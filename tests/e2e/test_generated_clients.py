"""The guide's quickstart by clients that are generated from the specification."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients.quickstarts import EXPECTED, run_python, run_typescript
from tests.clients.tools import missing, required
from tests.clients.write import make_document, write_clients
from tests.e2e.harness import Harness, Integrator

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the clients."""
    if (reason := missing()) is not None:
        (pytest.fail if required() else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("clients")
    write_clients(make_document(), folder)
    return folder


@pytest.mark.parametrize(
    ("run", "more"), [(run_python, {}), (run_typescript, {"never": False})], ids=["py", "ts"]
)
async def test_the_quickstart_works_by_a_generated_client(
    run: Callable[[Path, Mapping[str, str]], Any],
    more: dict[str, Any],
    clients: Path,
    harness: Harness,
    integrator: Integrator,
) -> None:
    connection = {
        "HEXAVOX_URL": harness.stack.api_url,
        "HEXAVOX_API_KEY": integrator.headers["X-API-KEY"],
        "HEXAVOX_API_SECRET": integrator.headers["X-API-SECRET"],
    }
    async with asyncio.timeout(30):
        told = await asyncio.to_thread(run, clients, connection)
    assert told == {**EXPECTED, **more}
