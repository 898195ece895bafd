"""Ends Postgres servers that outlived the process that started them."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

from cli.dev.child_process import ProgramFailedError, StopSignal

STOP_SIGNALS = (StopSignal(signal.SIGINT, 10), StopSignal(signal.SIGQUIT, 5))


def find_postmaster(cluster: Path) -> int | None:
    """Return the process id of the server of this cluster, if one runs.

    The id in the pid file alone proves nothing: after a crash another process may have it.
    """
    try:
        pid = int((cluster / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    words = _command_line(pid)
    return pid if ("-D", str(cluster)) in pairwise(words) else None


def end_orphan(cluster: Path) -> None:
    """End the server of this cluster; the caller holds the lock that its starter held.

    Without a server the pid file is removed: Postgres would refuse to start if any process of its
    user had that id now.
    """
    pid = find_postmaster(cluster)
    for stop_signal in (*STOP_SIGNALS, StopSignal(signal.SIGKILL, 5)):
        if pid is None or find_postmaster(cluster) != pid:
            _end_leftovers(cluster)
            (cluster / "postmaster.pid").unlink(missing_ok=True)
            return
        os.kill(pid, stop_signal.signal)
        deadline = monotonic() + stop_signal.patience
        while find_postmaster(cluster) == pid and monotonic() < deadline:
            sleep(0.05)
    raise ProgramFailedError(f"a former postgres (process {pid}) of {cluster} won't end")


def _end_leftovers(cluster: Path) -> None:
    """Kill the child processes of a dead postmaster: a new one must wait until all have ended.

    They notice its death themselves, but during a long query only after it.
    """
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if cwd.readlink() == cluster:
                os.kill(int(cwd.parent.name), signal.SIGKILL)


def _command_line(pid: int) -> list[str]:
    """Return the command line of a process; empty if it is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        except OSError:
            return []
    ps = shutil.which("ps") or "/bin/ps"
    shown = subprocess.run(
        [ps, "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.split()
