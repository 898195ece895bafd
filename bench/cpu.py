"""CPU time in seconds of each process and its children (Linux)."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

_PROC = Path("/proc")


class Cpu:
    """Reads the CPU times of named processes; on other systems than Linux it returns nothing."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = {**processes, "bench": os.getpid()}

    def seconds(self) -> dict[str, float]:
        """Return the CPU seconds that each process has used so far."""
        if not _PROC.is_dir():
            return {}
        table = dict(_read())
        tick = os.sysconf("SC_CLK_TCK")
        return {
            name: sum(
                ticks
                for number, (parent, ticks) in table.items()
                # Postgres works in child processes; the children of our processes are negligible.
                if number == pid or (name == "postgres" and parent == pid)
            )
            / tick
            for name, pid in self._processes.items()
        }


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the CPU seconds used between two readings."""
    return {name: after[name] - before[name] for name in after}


def _read() -> Iterator[tuple[int, tuple[int, int]]]:
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # the process has just ended
        # proc(5): state ppid … utime stime cutime cstime, from field 3 on
        yield int(folder.name), (int(fields[1]), sum(int(field) for field in fields[11:15]))
