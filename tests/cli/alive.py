"""Whether a process lives, also one that is not our child (Linux)."""

from pathlib import Path


def is_alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie, by its state in proc(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
