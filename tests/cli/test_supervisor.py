"""A supervisor restarts its children, gives up on failing ones and leaves no orphans."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from cli.dev.supervisor import Child, ServiceFailedError, Supervisor
from tests.cli.alive import is_alive

ROOT = Path(__file__).parents[2]
FOREVER = "import time; time.sleep(600)"


def wait_for(condition: Callable[[], object], within: float) -> float:
    """Wait until the condition holds and return how long that took."""
    began = monotonic()
    while not condition():
        assert monotonic() - began < within, "it did not come true in time"
        sleep(0.01)
    return monotonic() - began


def child(folder: Path, name: str, code: str, ready: Callable[[], bool] = lambda: True) -> Child:
    """A service that is a short Python program."""
    argv = [sys.executable, "-I", "-S", "-c", code]
    return Child(name, argv, log=folder / f"{name}.log", ready=ready)


@pytest.fixture
def told() -> list[str]:
    """The supervisor's announcements."""
    return []


@pytest.fixture
def supervisor(told: list[str]) -> Iterator[Supervisor]:
    """A supervisor that is stopped at the end."""
    with Supervisor(told.append) as supervisor:
        yield supervisor


def test_a_child_that_is_killed_is_back_within_two_seconds(
    supervisor: Supervisor, told: list[str], tmp_path: Path
) -> None:
    sleeper = child(tmp_path, "sleeper", FOREVER)
    supervisor.keep(sleeper)
    supervisor.wait_ready(sleeper)
    first = sleeper.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert wait_for(lambda: sleeper.pid != first and sleeper.running(), within=10) < 4
    assert told == ["sleeper ended with exit code -9; starting it again"]


def test_a_child_that_keeps_dying_after_it_was_ready_is_always_started_again(
    supervisor: Supervisor, told: list[str], tmp_path: Path
) -> None:
    supervisor.keep(child(tmp_path, "weak", "import time; time.sleep(0.3)"))
    wait_for(lambda: len(told) > 5, within=20)
    supervisor.look()


def test_five_deaths_before_ready_end_everything_and_show_the_last_lines(
    supervisor: Supervisor, told: list[str], tmp_path: Path
) -> None:
    steady = child(tmp_path, "steady", FOREVER)
    hopeless = child(tmp_path, "hopeless", "raise SystemExit('no such table')", lambda: False)
    supervisor.keep(steady)
    supervisor.keep(hopeless)
    with pytest.raises(ServiceFailedError, match=r"exit code 1, 5 times(.|\n)*no such table"):
        supervisor.wait_ready(hopeless, within=30)
    supervisor.stop()
    assert (tmp_path / "hopeless.log").read_text().count("no such table") == 5
    assert len(told) == 4
    assert not steady.running()


def test_children_are_stopped_the_last_started_first(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    order = tmp_path / "order"
    code = """
import pathlib, signal, sys
def leave(*_):
    with open({order!r}, "a") as file: file.write({name!r} + " ")
    sys.exit()
signal.signal(signal.SIGTERM, leave)
pathlib.Path({mark!r}).touch()
while True: signal.pause()
"""
    for name in ("engine", "worker", "api"):
        mark = tmp_path / f"{name}.mark"
        filled = code.format(order=str(order), name=name, mark=str(mark))
        service = child(tmp_path, name, filled, mark.exists)
        supervisor.keep(service)
        supervisor.wait_ready(service)
    supervisor.stop()
    assert order.read_text().split() == ["api", "worker", "engine"]


def test_a_child_that_ignores_sigterm_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(mark)!r}).touch(); time.sleep(600)"
    )
    argv = [sys.executable, "-I", "-S", "-c", code]
    deaf = Child("deaf", argv, log=tmp_path / "deaf.log", ready=mark.exists, patience=0.3)
    supervisor.keep(deaf)
    supervisor.wait_ready(deaf)
    began = monotonic()
    supervisor.stop()
    assert not deaf.running()
    assert monotonic() - began < 5


def test_no_child_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from cli.dev.supervisor import Child, Supervisor
with Supervisor(lambda news: None) as supervisor:
    argv = [sys.executable, "-c", {FOREVER!r}]
    kept = Child("kept", argv, log=Path({str(tmp_path)!r}) / "log", ready=lambda: True)
    supervisor.keep(kept)
    supervisor.wait_ready(kept)
    print(kept.pid, flush=True)
    supervisor.wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            pid = int(process.stdout.readline())
            assert is_alive(pid)
        finally:
            process.kill()
    wait_for(lambda: not is_alive(pid), within=5)
