"""The generators and linters, and why they cannot run where they are missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
MODULES: Final = HERE / "node_modules"
PYTHON: Final = Path(sys.prefix) / "clients" / "bin"
"""The virtualenv of the generator of Python clients."""


class ToolFailed(RuntimeError):
    """A tool ended with an error; the text is what it wrote."""


def missing() -> str | None:
    """Return why the tools cannot run; None if they can."""
    if shutil.which("node") is None:
        return "node is not installed"
    for found in (MODULES / "openapi-typescript", PYTHON / "openapi-python-client"):
        if not found.exists():
            return f"{found.name} is not installed: make client-tools"
    return None


def required() -> bool:
    """Return whether the tests that need them must run."""
    return os.environ.get("HEXAVOX_CLIENTS") == "required"


def run(
    *command: str | Path, folder: Path = HERE, environment: Mapping[str, str] | None = None
) -> str:
    """Run a tool for at most a minute and return its output. Raises ToolFailed."""
    path = f"{PYTHON}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env={"PATH": path, "NO_COLOR": "1", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise ToolFailed(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
