"""Replaces `hexavox` in tests of the supervisor: every command, without function."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORTS = {
    "api": "HEXAVOX_API_PORT",
    "simulator": "HEXAVOX_SIMULATOR_PORT",
    "worker": "HEXAVOX_WORKER_HEALTH_PORT",
}


class Answers(BaseHTTPRequestHandler):
    """Responds 200, but 401 to an unknown key."""

    def do_GET(self) -> None:
        key = self.headers.get("X-API-KEY")
        known = key is None or (Path(os.environ["HEXAVOX_DATA_DIR"]) / f"key-{key}").exists()
        self.send_response(200 if known else 401)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def make_key() -> dict[str, str]:
    """A key that differs from all before it."""
    folder = Path(os.environ["HEXAVOX_DATA_DIR"])
    name = str(len(list(folder.glob("key-*"))) + 1)
    (folder / f"key-{name}").touch()
    return {"keyId": name, "apiKey": name, "apiSecret": f"secret of {name}"}


def main() -> None:
    """Run the named command."""
    folder = Path(os.environ["HEXAVOX_DATA_DIR"])
    (folder / f"environment-{sys.argv[1]}").write_text("\n".join(os.environ))
    match sys.argv[1:]:
        case ["migrate"] if (folder / "other-version").exists():
            sys.exit(3)
        case ["migrate"]:
            assert os.environ["DATABASE_URL"].startswith("postgresql://")
        case ["tenant", *_]:
            sys.stdout.write(json.dumps({"tenantId": 1, "name": "demo"}))
        case ["key", *_]:
            sys.stdout.write(json.dumps(make_key()))
        case [name, *options] if name in PORTS:
            (folder / f"options-{name}").write_text(" ".join(options))
            port = int(os.environ[PORTS[name]])
            ThreadingHTTPServer(("127.0.0.1", port), Answers).serve_forever()


if __name__ == "__main__":
    main()
