"""The whole system as separate processes: simulator, worker and API on a real database."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import psycopg
from alembic import command
from psycopg import sql

from cli.database import alembic_config
from cli.dev.local_http import status_of
from cli.dev.postgres import EmbeddedPostgres
from tests.contacts import CONTACT_KEY_FILE
from tests.factories import NO_LIMITS
from tests.secret_values import SERVER_SECRET, SIMULATOR_SECRET, SIMULATOR_TOKEN
from tests.shown_ids import mark_row_ids
from tests.webhook_key import WEBHOOK_KEY_FILE

ROOT = Path(__file__).parent.parent

_MIGRATED: Final = "migrated"
"""The database that all others are copied from; nothing connects to it."""

SHORT_WAITS = {
    "HEXAVOX_REPORT_WAIT": "PT1.5S",
    "HEXAVOX_POLL_FIRST": "PT0.3S",
    "HEXAVOX_POLL_LONGEST": "PT1S",
    "HEXAVOX_RECONCILE_EVERY": "PT0.3S",
    "HEXAVOX_ABSENCE_WINDOW": "PT0.3S",
    "HEXAVOX_RECONCILE_HORIZON": "PT6S",
    "HEXAVOX_PAYMENT_NEWS_WAIT": "PT0.3S",
    "HEXAVOX_PAYMENT_POLL_FIRST": "PT0.3S",
    "HEXAVOX_PAYMENT_POLL_LONGEST": "PT0.5S",
    "HEXAVOX_PAYMENT_RETRY_EVERY": "PT0.3S",
    "HEXAVOX_PAYMENT_HORIZON": "PT6S",
    "HEXAVOX_PAYMENT_MISMATCH_WAIT": "PT2S",
    "HEXAVOX_LAG_ALLOWED": "PT60S",  # a slow machine refuses nothing
    "HEXAVOX_SWEEP_EVERY": "PT1S",
    "HEXAVOX_SWEEP_GRACE": "PT2S",
    "HEXAVOX_WATCH_EVERY": "PT2S",
    "HEXAVOX_PROVIDER_WINDOW": "PT5S",
}


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def async_url(url: str) -> str:
    """Return the address of a database in the form SQLAlchemy's psycopg driver takes."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def make_database(server: EmbeddedPostgres, name: str) -> str:
    """Create a migrated database for one stack; return its URL.

    A stack processes every row it finds, so it must not share a database with other tests. The
    schema is made once per server, and copied.
    """
    with psycopg.connect(server.url, autocommit=True) as db:
        if not db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_MIGRATED]).fetchone():
            _make_migrated(server, db)
        db.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(_MIGRATED)
            )
        )
    return _url_of(server, name)


def _make_migrated(server: EmbeddedPostgres, db: psycopg.Connection[Any]) -> None:
    """Create the database that all others are copied from.

    It is renamed last, so that one whose migration failed is never copied.
    """
    db.execute("DROP DATABASE IF EXISTS migrating")
    db.execute("CREATE DATABASE migrating")
    url = _url_of(server, "migrating")
    command.upgrade(alembic_config(async_url(url)), "head")
    mark_row_ids(url)
    db.execute(sql.SQL("ALTER DATABASE migrating RENAME TO {}").format(sql.Identifier(_MIGRATED)))


def _url_of(server: EmbeddedPostgres, name: str) -> str:
    return server.url.rpartition("/")[0] + "/" + name


@dataclass
class Stack:
    """The processes; a test may kill and restart each."""

    database_url: str
    temporal_address: str
    folder: Path
    waits: dict[str, str] = field(default_factory=lambda: dict(SHORT_WAITS))
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _logs: list[IO[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.ports = {name: free_port() for name in ("api", "simulator", "worker")}
        for name in ("simulator", "worker", "api"):
            self.start(name, wait=False)
        for name in ("simulator", "worker", "api"):
            self.await_ready(name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)  # a frozen process cannot end
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self._logs:
            log.close()

    @property
    def api_url(self) -> str:
        """Scheme and host of the API."""
        return self.url("api")

    def url(self, name: str) -> str:
        """Return scheme and host of a process; of a worker, where its health is."""
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def simulator_url(self) -> str:
        """Scheme and host of the simulator."""
        return f"http://127.0.0.1:{self.ports['simulator']}"

    @property
    def console_headers(self) -> dict[str, str]:
        """The authorization of requests to the simulator's console."""
        return {"Authorization": f"Bearer {SIMULATOR_TOKEN}"}

    def environment(self, name: str = "worker") -> dict[str, str]:
        """Return the environment of a process; each of several of a kind has a port of its own.

        All APIs have the same public URL, as behind a proxy.
        """
        worker = name if name in self.ports else "worker"
        api = name if name in self.ports and name.startswith("api") else "api"
        return {
            "PATH": os.environ["PATH"],
            "HEXAVOX_PROFILE": "demo",
            "DATABASE_URL": self.database_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
            "HEXAVOX_API_PORT": str(self.ports[api]),
            "HEXAVOX_PUBLIC_URL": self.api_url,
            "HEXAVOX_WORKER_HEALTH_PORT": str(self.ports[worker]),
            "HEXAVOX_SIMULATOR_PORT": str(self.ports["simulator"]),
            "HEXAVOX_SIMULATOR_URL": self.simulator_url,
            "HEXAVOX_SIMULATOR_SECRET": SIMULATOR_SECRET,
            "HEXAVOX_SIMULATOR_TOKEN": SIMULATOR_TOKEN,
            "HEXAVOX_SERVER_SECRET": SERVER_SECRET,
            "HEXAVOX_CONTACT_KEY_FILE": str(CONTACT_KEY_FILE),
            "HEXAVOX_WEBHOOK_KEY_FILE": str(WEBHOOK_KEY_FILE),
            "HEXAVOX_WEBHOOK_LOCAL_URLS": "true",
            **{f"HEXAVOX_{name.upper()}": str(most) for name, most in NO_LIMITS.items()},
            **self.waits,
        }

    def start(
        self,
        name: str,
        *options: str,
        wait: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start a process; its output goes to `<name>.log`.

        A suffix after a dash distinguishes several of a kind: `worker-2` is a second worker.
        `settings` are variables of this process alone.
        """
        self.ports.setdefault(name, free_port())
        log = (self.folder / f"{name}.log").open("ab")
        self._logs.append(log)
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "cli", name.partition("-")[0], *options],
            env={**self.environment(name), **(settings or {})},
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        if wait:
            self.await_ready(name)

    def await_ready(self, name: str, *, seconds: float = 40) -> None:
        """Wait until a process responds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.processes[name].poll() is not None:
                break
            if status_of(f"http://127.0.0.1:{self.ports[name]}/healthz") == 200:
                return
            time.sleep(0.1)
        raise AssertionError(f"{name} did not come up:\n{self.log(name)[-3000:]}")

    def kill(self, name: str) -> None:
        """Kill a process, as a crash does."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def runs(self, name: str) -> bool:
        """Return whether a process exists."""
        return name in self.processes and self.processes[name].poll() is None

    def stop(self, name: str) -> None:
        """Terminate a process gracefully, as a deployment does."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(15)

    def freeze(self, name: str) -> None:
        """Suspend a process (SIGSTOP)."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Resume a suspended process (SIGCONT)."""
        self.processes[name].send_signal(signal.SIGCONT)

    def log(self, name: str) -> str:
        """Return what a process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")
