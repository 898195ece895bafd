"""Supervises the services of a development start: starts, watches, restarts, stops in order."""

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from types import FrameType
from typing import Protocol

from cli.dev.child_process import Program, ProgramFailedError, StopSignal

MAX_EARLY_EXITS = 5
LONGEST_PAUSE = 1.5  # with the 0.1 s poll interval a service is restarted within 2 s
LOOK_EVERY = 0.1

Announce = Callable[[str], None]


class StopAskedError(Exception):
    """Ctrl-C or SIGTERM was received."""


class ServiceFailedError(RuntimeError):
    """A service failed too often before it was ready; the message has its last log lines."""


class Service(Protocol):
    """Interface of a supervised service."""

    name: str
    log: Path

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last run; None while it runs."""

    def launch(self) -> None:
        """Start without waiting."""

    def running(self) -> bool:
        """Return whether the process exists."""

    def ready(self) -> bool:
        """Return whether it responds."""

    def stop(self) -> None:
        """Stop it; no effect if it does not run."""

    def last_lines(self, count: int = 20) -> str:
        """Return the end of its log."""


class Child:
    """A service that is a command, with a readiness check."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        patience: float = 3,
    ) -> None:
        self.name = name
        self.log = log
        self._ready = ready
        stop_signals = (StopSignal(signal.SIGTERM, patience),)
        self._program = Program(argv, log=log, env=env, stop_signals=stop_signals)

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last run; None while it runs."""
        return self._program.exit_code

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._program.pid

    def launch(self) -> None:
        """Start without waiting."""
        self._program.launch()

    def running(self) -> bool:
        """Return whether the process exists."""
        return self._program.running()

    def ready(self) -> bool:
        """Return whether it responds."""
        return self._ready()

    def stop(self) -> None:
        """Send SIGTERM, and after a timeout SIGKILL to its process group."""
        self._program.stop()

    def last_lines(self, count: int = 20) -> str:
        """Return the end of its log."""
        return self._program.last_lines(count)


class ServiceThread:
    """A thread that keeps one service running until it is stopped."""

    def __init__(self, service: Service, announce: Announce) -> None:
        self.service = service
        self.ready = Event()
        self.failure: str | None = None
        self._announce = announce
        self._stopping = Event()
        self._thread = Thread(target=self._loop, name=f"thread-{service.name}", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, then stop the service."""
        self._stopping.set()
        self._thread.join()
        self.service.stop()

    def _loop(self) -> None:
        exits = 0
        while not self._stopping.is_set():
            reason = self._run_once()
            if self._stopping.is_set():
                return
            exits = 1 if self.ready.is_set() else exits + 1
            self.ready.clear()
            if exits == MAX_EARLY_EXITS:
                self.failure = self._describe_failure(reason)
                return
            self._announce(f"{self.service.name} {reason}; starting it again")
            self._stopping.wait(min(LONGEST_PAUSE, 0.25 * exits))

    def _run_once(self) -> str:
        """Start the service and watch it; return the reason of its end."""
        try:
            self.service.launch()
        except (OSError, RuntimeError) as error:
            return f"could not be started: {error}"
        while self.service.running() and not self._stopping.is_set():
            if not self.ready.is_set() and self.service.ready():
                self.ready.set()
            self._stopping.wait(LOOK_EVERY)
        return f"ended with exit code {self.service.exit_code}"

    def _describe_failure(self, reason: str) -> str:
        return (
            f"{self.service.name} {reason}, {MAX_EARLY_EXITS} times in a row before it was ready. "
            f"The end of {self.service.log}:\n{self.service.last_lines()}"
        )


class Supervisor:
    """Keeps services running, and stops them in the reverse order of `keep`.

    A context manager: no service keeps running, however the block ends.
    """

    def __init__(self, announce: Announce) -> None:
        self._announce = announce
        self._threads: list[ServiceThread] = []
        self._stop_asked = False

    def listen_to_signals(self) -> None:
        """Stop on Ctrl-C, SIGTERM and SIGHUP."""
        for asking in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asking, self._note_signal)

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        # A plain flag: the interrupted code may hold the lock of an Event.
        self._stop_asked = True

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def keep(self, service: Service) -> None:
        """Start a service and keep it running."""
        thread = ServiceThread(service, self._announce)
        self._threads.append(thread)
        thread.begin()

    def wait_ready(self, *services: Service, within: float = 90) -> None:
        """Return once these services respond."""
        waited_for = [thread for thread in self._threads if thread.service in services]
        deadline = monotonic() + within
        while silent := [thread for thread in waited_for if not thread.ready.is_set()]:
            self.look()
            if monotonic() > deadline:
                first = silent[0].service
                raise ServiceFailedError(
                    f"{first.name} did not answer within {within:.0f} s. "
                    f"The end of {first.log}:\n{first.last_lines()}"
                )
            sleep(0.02)

    def wait(self) -> None:
        """Return when asked to stop; raise when a service has failed permanently."""
        try:
            while True:
                self.look()
                sleep(LOOK_EVERY)
        except StopAskedError:
            return

    def look(self) -> None:
        """Raise if a stop was requested or a service has failed permanently."""
        if self._stop_asked:
            raise StopAskedError
        for thread in self._threads:
            if thread.failure:
                raise ServiceFailedError(thread.failure)

    def finish(self, program: Program, within: float) -> None:
        """Run a command to its end; raise unless it succeeds. A stop request ends it early."""
        program.launch()
        deadline = monotonic() + within
        try:
            while program.running():
                self.look()
                if monotonic() > deadline:
                    break
                sleep(0.02)
        finally:
            program.stop()
        if program.exit_code != 0:
            raise ProgramFailedError(
                f"it ended with exit code {program.exit_code}. The end of {program.log}:\n"
                f"{program.last_lines()}"
            )

    def stop(self) -> None:
        """Stop every service in reverse order of start."""
        while self._threads:
            self._threads.pop().stop()
