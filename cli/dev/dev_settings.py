"""Settings of a development start: read from the environment, and passed to its children."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from cli.dev.child_environment import for_process
from cli.dev.private_files import (
    close_to_others,
    kept_contact_key,
    kept_secret,
    kept_webhook_key,
    private_folder,
)
from cli.dev.tcp_ports import LOOPBACK, free_port, is_taken
from models.configuration.environment_settings import BadSettings

API_PORT = "HEXAVOX_API_PORT"
TEMPORAL_PORT = "HEXAVOX_TEMPORAL_PORT"
TEMPORAL_UI_PORT = "HEXAVOX_TEMPORAL_UI_PORT"
SIMULATOR_PORT = "HEXAVOX_SIMULATOR_PORT"
DATA_DIR = "HEXAVOX_DATA_DIR"
OUR_FILES = (
    *(
        "dev.env",
        "hexavox",
        "lock",
        "*.secret",
        "*.token",
        "*.key",
        "logs",
        "simulator",
        "temporal.db*",
    ),
    *("temporal.db*", "postgres", "postgres/lock", "postgres/location", "postgres/password"),
)
"""Files in the data folder; Postgres manages its own."""
DEFAULT_PORTS = {API_PORT: 8000, TEMPORAL_PORT: 7233, TEMPORAL_UI_PORT: 8233, SIMULATOR_PORT: 8090}


class BadDevSettingsError(BadSettings):
    """The environment contains an invalid value; the message names the variable."""


class PortTakenError(RuntimeError):
    """A port is in use; the message names its variable."""


@dataclass(frozen=True, kw_only=True)
class DevSettings:
    """Folder, ports and external servers of a development start."""

    data_dir: Path
    api_port: int
    temporal_port: int
    temporal_ui_port: int
    simulator_port: int
    worker_health_port: int
    database_url: str | None
    temporal_address: str | None

    @classmethod
    def read(cls, env: Mapping[str, str]) -> "DevSettings":
        """Read the variables of a development start; unset and empty ones get the default."""
        ports = {name: _port(env, name) for name in DEFAULT_PORTS}
        for port in ports.values():
            twins = [name for name in ports if ports[name] == port]
            if len(twins) > 1:
                raise BadDevSettingsError(f"{' and '.join(twins)} are both {port}")
        return cls(
            data_dir=Path(os.path.abspath(env.get("HEXAVOX_DATA_DIR") or ".hexavox")),
            api_port=ports[API_PORT],
            temporal_port=ports[TEMPORAL_PORT],
            temporal_ui_port=ports[TEMPORAL_UI_PORT],
            simulator_port=ports[SIMULATOR_PORT],
            worker_health_port=free_port(),
            database_url=env.get("DATABASE_URL", "").strip() or None,
            temporal_address=env.get("TEMPORAL_ADDRESS", "").strip() or None,
        )

    @property
    def api_url(self) -> str:
        """Scheme and host of the API."""
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def simulator_url(self) -> str:
        """Scheme and host of the simulator."""
        return f"http://{LOOPBACK}:{self.simulator_port}"

    @property
    def worker_health_url(self) -> str:
        """URL of the worker's health check."""
        return f"http://{LOOPBACK}:{self.worker_health_port}/healthz"

    def log(self, name: str) -> Path:
        """Return the log file of a child."""
        return self.data_dir / "logs" / f"{name}.log"

    def check_ports(self, patience: float = 2) -> None:
        """Raise PortTakenError for a port in use after `patience`; a killed start may need to end
        first.
        """
        for name, port in self._own_ports():
            deadline = monotonic() + patience
            while is_taken(port):
                if monotonic() > deadline:
                    raise PortTakenError(
                        f"port {port} is taken by another program: stop that one, or set {name} "
                        f"to a free port, for example {name}={free_port()}"
                    )
                sleep(0.1)

    def _own_ports(self) -> Iterator[tuple[str, int]]:
        yield API_PORT, self.api_port
        yield SIMULATOR_PORT, self.simulator_port
        if self.temporal_address is None:
            yield TEMPORAL_PORT, self.temporal_port
            yield TEMPORAL_UI_PORT, self.temporal_ui_port

    def make_folder(self) -> None:
        """Create the data folder, or make an existing one private."""
        private_folder(self.data_dir, DATA_DIR)

    def close_files(self) -> None:
        """Make files of an earlier start private; the caller holds the lock."""
        for name in OUR_FILES:
            for path in self.data_dir.glob(name):
                close_to_others(path, DATA_DIR)

    def environment(
        self, process: str, *, database_url: str, temporal_address: str
    ) -> dict[str, str]:
        """Return the environment of a process, without secrets that it does not need.

        Secrets, profile and public address in the caller's own environment are kept.
        """
        fixed = {
            "DATABASE_URL": database_url,
            "TEMPORAL_ADDRESS": temporal_address,
            API_PORT: str(self.api_port),
            SIMULATOR_PORT: str(self.simulator_port),
            "HEXAVOX_SIMULATOR_URL": self.simulator_url,
            "HEXAVOX_SIMULATOR_DATA_DIR": str(self.data_dir / "simulator"),
            "HEXAVOX_WORKER_HEALTH_PORT": str(self.worker_health_port),
            DATA_DIR: str(self.data_dir),
        }
        return for_process(process, self._defaults() | _given() | fixed)

    @property
    def simulator_token(self) -> str:
        """Return the token of requests that change the simulator's state."""
        return {**self._defaults(), **_given()}["HEXAVOX_SIMULATOR_TOKEN"]

    def _defaults(self) -> dict[str, str]:
        secrets = {
            f"HEXAVOX_{name.upper().replace('.', '_')}": kept_secret(self.data_dir / name)
            for name in ("server.secret", "simulator.secret", "simulator.token", "turn.secret")
        }
        return {
            "HEXAVOX_PROFILE": "demo",
            "HEXAVOX_PUBLIC_URL": self.api_url,
            "HEXAVOX_WEBHOOK_LOCAL_URLS": "true",
            "PYTHONUNBUFFERED": "1",
            "HEXAVOX_CONTACT_KEY_FILE": str(kept_contact_key(self.data_dir / "contact.key")),
            "HEXAVOX_WEBHOOK_KEY_FILE": str(kept_webhook_key(self.data_dir / "webhook.key")),
            **secrets,
        }


def _given() -> dict[str, str]:
    """Return the caller's variables; empty ones count as unset."""
    return {name: value for name, value in os.environ.items() if value}


def _port(env: Mapping[str, str], name: str) -> int:
    text = env.get(name) or str(DEFAULT_PORTS[name])
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or not 0 < int(text) < 65536:
        raise BadDevSettingsError(f"{name} must be a port number from 1 to 65535")
    return int(text)
