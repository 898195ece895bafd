"""The clients, generated once for the tests of a process."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.tools import missing, required
from tests.clients.write import make_document, write_clients


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    return make_document()


@pytest.fixture(scope="session")
def tools() -> None:
    """Skip the test, or fail it, where the generators and linters are missing."""
    if (reason := missing()) is not None:
        (pytest.fail if required() else pytest.skip)(reason)


@pytest.fixture(scope="session")
def clients(
    tools: None, document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of the clients."""
    folder = tmp_path_factory.mktemp("clients")
    write_clients(document, folder)
    return folder
