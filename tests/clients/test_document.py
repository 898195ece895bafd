"""The document is clean by the rules of Redocly and Spectral, and small."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.portal.pages import build_portal
from tests.clients.tools import HERE, MODULES, run


@pytest.fixture(scope="session")
def description(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document as a file."""
    file = tmp_path_factory.mktemp("document") / "openapi.json"
    file.write_text(json.dumps(document), "utf-8")
    return file


@pytest.mark.usefixtures("tools")
def test_redocly_finds_nothing(description: Path) -> None:
    assert run("node", "lint.mjs", description, "redocly.yaml") == ""


@pytest.mark.usefixtures("tools")
def test_spectral_finds_nothing(description: Path) -> None:
    program = MODULES / "@stoplight" / "spectral-cli" / "dist" / "index.js"
    rules = HERE / ".spectral.yaml"
    told = run(
        *("node", program, "lint", "--quiet", "--fail-severity", "hint"),
        *("--ruleset", rules, description),
    )
    assert told.strip() == ""


def test_it_stays_small(document: dict[str, Any]) -> None:
    pages = build_portal(document, "https://sms.gym.test")
    sizes = {path: len(pages[path].body) for path in ("/v3/api-docs", "/v3/api-docs.yaml")}
    operations = sum(map(len, document["paths"].values()))
    assert operations > 50
    # Each used to have 16 kB of YAML, and 12 kB of JSON.
    assert sizes["/v3/api-docs.yaml"] / operations < 8_000
    assert sizes["/v3/api-docs"] / operations < 6_500
