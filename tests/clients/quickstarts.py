"""Compiles and runs the guide's quickstart by the generated clients."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.clients.tools import HERE, MODULES, PYTHON, run

EXPECTED: Final = {
    "merchant": "Gym A",
    "consent": "OPT_IN",
    "sent": "QUEUED",
    "again": True,
    "replayed": "true",
    "reused": "IDEMPOTENCY_KEY_REUSED",
    "invalid": ["merchantId"],
    "called": "VOICE",
    "ended": "DELIVERED",
    "listed": [True],
    "counted": 1,
    "state": "PROVISIONAL",
}
"""What the quickstarts print of a new tenant."""


def compile_typescript(clients: Path) -> Path:
    """Compile the client and the quickstart with strict types; return the quickstart's program."""
    folder = clients / "typescript"
    shutil.copy(HERE / "quickstart.ts", folder / "src")
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(MODULES)
    run("node", MODULES / "typescript" / "bin" / "tsc", "--project", folder)
    return folder / "dist" / "quickstart.js"


def run_typescript(clients: Path, connection: Mapping[str, str]) -> Any:
    """Return what the quickstart in TypeScript prints."""
    program = compile_typescript(clients)
    return json.loads(run("node", program, environment=connection))


def run_python(clients: Path, connection: Mapping[str, str]) -> Any:
    """Return what the quickstart in Python prints."""
    environment = {"PYTHONPATH": str(clients / "python"), **connection}
    program = HERE / "quickstart.py"
    return json.loads(run(PYTHON / "python", program, environment=environment))
