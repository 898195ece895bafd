"""Runs one child process, which logs to a file and ends when this process ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from cli.dev.private_files import open_private

PARENT_DEATH = str(Path(__file__).with_name("parent_death.py"))
LARGEST_LOG = 10_000_000

# The kernel ties a child to the *thread* that forked it, so all children are forked by one thread
# that lives as long as this process; a caller's own thread may end early.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class ProgramFailedError(RuntimeError):
    """A program ended or did not respond before it was ready; the message has its last log
    lines.
    """


@dataclass(frozen=True)
class StopSignal:
    """A signal that asks a program to end, and how long to wait for that."""

    signal: signal.Signals
    patience: float


class Program:
    """A child process that ends with this process, even if that is killed by SIGKILL.

    `last_signal` is sent by the kernel once this process is gone. `stop()` sends `stop_signals` in
    turn before it kills the whole process group.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: tuple[int, int] | None = None,
        last_signal: signal.Signals = signal.SIGKILL,
        stop_signals: Sequence[StopSignal] = (StopSignal(signal.SIGTERM, 5),),
    ) -> None:
        self.log = log
        self._argv = argv
        self._env = env
        self._user = user
        self._last_signal = last_signal
        self._farewells = stop_signals
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs, and of the last run afterwards."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last run; None while it runs or before its first run."""
        return self._process.poll() if self._process else None

    def running(self) -> bool:
        """Return whether the process exists."""
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start the process without waiting for it; an earlier run is ended first."""
        self.stop()
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".old.log"))
        self._process = _spawner.submit(self._spawn).result()

    def _spawn(self) -> subprocess.Popen[bytes]:
        uid, gid = self._user or (-1, -1)
        tie = [str(os.getpid()), str(int(self._last_signal)), str(uid), str(gid)]
        with os.fdopen(open_private(self.log), "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", PARENT_DEATH, *tie, *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd="/" if self._user else None,
                umask=0o077,  # its files are private
                # Ctrl-C on the terminal must reach only us; we stop the children in order.
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], within: float) -> None:
        """Return once `ready` is true; raise with the last log lines if it fails or is too late."""
        deadline = monotonic() + within
        while not ready():
            if not self.running():
                raise ProgramFailedError(self._explain(f"ended with exit code {self.exit_code}"))
            if monotonic() > deadline:
                raise ProgramFailedError(self._explain(f"did not answer within {within:.0f} s"))
            sleep(0.05)

    def stop(self) -> None:
        """Send the stop signals in turn, then kill; no effect if it does not run."""
        if self._process is None:
            return
        for stop_signal in self._farewells:
            if not self.running():
                return
            self._process.send_signal(stop_signal.signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(stop_signal.patience)
        if self.running():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self, count: int = 20) -> str:
        """Return the end of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 16_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])

    def _explain(self, what: str) -> str:
        return f"{Path(self._argv[0]).name} {what}; the end of {self.log}:\n{self.last_lines()}"
