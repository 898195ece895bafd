"""What a development start is told by its environment, and what it tells its children."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from cli.embedded.ports import LOOPBACK, free_port, is_taken
from cli.embedded.private import kept_secret

API_PORT = "HEXAVOX_API_PORT"
TEMPORAL_PORT = "HEXAVOX_TEMPORAL_PORT"
TEMPORAL_UI_PORT = "HEXAVOX_TEMPORAL_UI_PORT"
SIMULATOR_PORT = "HEXAVOX_SIMULATOR_PORT"
DEFAULT_PORTS = {API_PORT: 8000, TEMPORAL_PORT: 7233, TEMPORAL_UI_PORT: 8233, SIMULATOR_PORT: 8090}


class BadSurroundingsError(ValueError):
    """The environment asks for something that cannot be; the message names the variable."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Folder, ports and outside servers of one development start."""

    data_dir: Path
    api_port: int
    temporal_port: int
    temporal_ui_port: int
    simulator_port: int
    worker_health_port: int
    database_url: str | None
    temporal_address: str | None

    @classmethod
    def read(cls, env: Mapping[str, str]) -> "Surroundings":
        """Read the variables of DESIGN, processes; unset and empty mean the default."""
        ports = {name: _port(env, name) for name in DEFAULT_PORTS}
        for port in ports.values():
            twins = [name for name in ports if ports[name] == port]
            if len(twins) > 1:
                raise BadSurroundingsError(f"{' and '.join(twins)} are both {port}")
        return cls(
            data_dir=Path(env.get("HEXAVOX_DATA_DIR") or ".hexavox").resolve(),
            api_port=ports[API_PORT],
            temporal_port=ports[TEMPORAL_PORT],
            temporal_ui_port=ports[TEMPORAL_UI_PORT],
            simulator_port=ports[SIMULATOR_PORT],
            worker_health_port=free_port(),
            database_url=env.get("DATABASE_URL") or None,
            temporal_address=env.get("TEMPORAL_ADDRESS") or None,
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
        """Where the worker tells that it polls."""
        return f"http://{LOOPBACK}:{self.worker_health_port}/healthz"

    def log(self, name: str) -> Path:
        """The file a child's output goes to."""
        return self.data_dir / "logs" / f"{name}.log"

    def check_ports(self, patience: float = 2) -> None:
        """Refuse a port somebody listens on; children of a killed start may need a moment."""
        for name, port in self._own_ports():
            deadline = monotonic() + patience
            while is_taken(port):
                if monotonic() > deadline:
                    raise BadSurroundingsError(
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

    def for_children(self, database_url: str, temporal_address: str) -> dict[str, str]:
        """The environment of simulator, worker, API and every other command of ours.

        What the caller's own environment says about secrets, profile and public address stays.
        """
        defaults = {
            "HEXAVOX_PROFILE": "demo",
            "HEXAVOX_PUBLIC_URL": self.api_url,
            "HEXAVOX_SERVER_SECRET": kept_secret(self.data_dir / "server.secret"),
            "HEXAVOX_SIMULATOR_SECRET": kept_secret(self.data_dir / "simulator.secret"),
            "HEXAVOX_TURN_SECRET": kept_secret(self.data_dir / "turn.secret"),
            "PYTHONUNBUFFERED": "1",
        }
        fixed = {
            "DATABASE_URL": database_url,
            "TEMPORAL_ADDRESS": temporal_address,
            API_PORT: str(self.api_port),
            SIMULATOR_PORT: str(self.simulator_port),
            "HEXAVOX_SIMULATOR_URL": self.simulator_url,
            "HEXAVOX_SIMULATOR_DATA_DIR": str(self.data_dir / "simulator"),
            "HEXAVOX_WORKER_HEALTH_PORT": str(self.worker_health_port),
            "HEXAVOX_DATA_DIR": str(self.data_dir),
        }
        given = {name: value for name, value in os.environ.items() if value}
        return defaults | given | fixed


def _port(env: Mapping[str, str], name: str) -> int:
    text = env.get(name) or str(DEFAULT_PORTS[name])
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise BadSurroundingsError(f"{name} is {text!r}, which is no port number")
    return int(text)
