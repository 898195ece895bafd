"""Writes clients of the API and a Postman collection.

`python -m tests.clients.write FOLDER` writes there `openapi.json`, the packages `python` and
`typescript`, and `postman.json`.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from api.app import create_app
from api.http.openapi import release
from api.portal.postman import build_collection
from models.settings import Settings
from tests.clients.tools import HERE, MODULES, PYTHON, missing, run
from tests.contacts import CONTACT_KEY_FILE
from tests.webhook_key import WEBHOOK_KEY_FILE

BASE_URL: Final = "http://127.0.0.1:8000"
"""Where `make run` serves the API."""


def make_document() -> dict[str, Any]:
    """Return the OpenAPI document; nothing is started for it, and no setting is in it."""
    settings = Settings(
        database_url=SecretStr("postgresql://127.0.0.1/none"),
        server_secret=SecretStr("signs nothing here"),
        simulator_secret=SecretStr("signs nothing here"),
        contact_key_file=CONTACT_KEY_FILE,
        webhook_key_file=WEBHOOK_KEY_FILE,
    )
    return create_app(settings).openapi()


def write_clients(document: dict[str, Any], folder: Path) -> None:
    """Write both clients and the collection; what was written there before is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / "openapi.json"
    description.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    _write_python(description, folder / "python")
    _write_typescript(description, folder / "typescript")
    collection = build_collection(document, BASE_URL)
    (folder / "postman.json").write_text(json.dumps(collection, indent=2), "utf-8")


def _write_python(description: Path, folder: Path) -> None:
    run(
        PYTHON / "openapi-python-client",
        "generate",
        *("--path", description),
        *("--output-path", folder),
        *("--config", HERE / "python.yaml"),
        *("--meta", "setup"),
        "--overwrite",
        "--fail-on-warning",
    )
    # The generator's own describes credentials of one header.
    shutil.copy(HERE / "python" / "README.md", folder)


def _write_typescript(description: Path, folder: Path) -> None:
    shutil.copytree(HERE / "typescript", folder, dirs_exist_ok=True)
    package = folder / "package.json"
    package.write_text(package.read_text("utf-8").replace("0.0.0", release()), "utf-8")
    cli = MODULES / "openapi-typescript" / "bin" / "cli.js"
    run("node", cli, description, "--output", folder / "src" / "schema.ts")


def main(arguments: list[str]) -> int:
    """Write the clients into the folder that the arguments name."""
    if len(arguments) != 1 or not arguments[0]:
        print('name a folder: make clients CLIENTS="../clients"', file=sys.stderr)
        return 2
    if (reason := missing()) is not None:
        print(reason, file=sys.stderr)
        return 1
    folder = Path(arguments[0]).resolve()
    write_clients(make_document(), folder)
    print(f"Written to {folder}: python, typescript, postman.json, openapi.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
