"""The lock files pin the requirements of pyproject.toml by hash, without index addresses."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNTIME = (ROOT / "requirements.lock").read_text()
DEVELOPMENT = (ROOT / "requirements-dev.lock").read_text()


def pins(lock: str) -> set[str]:
    """Every `name==version` of a lock."""
    return set(re.findall(r"^([a-z0-9-]+==[^ ;\\]+)", lock, re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    """The bare names of requirements."""
    return {re.split(r"[^A-Za-z0-9_.-]", each, maxsplit=1)[0].lower() for each in requirements}


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {pin.split("==")[0] for pin in pins(RUNTIME)}
    assert wanted(project["project"]["dependencies"]) <= names
    assert wanted(project["dependency-groups"]["dev"]) <= {
        pin.split("==")[0] for pin in pins(DEVELOPMENT)
    }


def test_development_adds_to_the_runtime_and_changes_nothing() -> None:
    assert pins(RUNTIME) < pins(DEVELOPMENT)


def test_a_lock_holds_hashes_and_no_address() -> None:
    for lock in (RUNTIME, DEVELOPMENT):
        assert "://" not in lock
        assert lock.count("--hash=sha256:") >= len(pins(lock)) > 0
