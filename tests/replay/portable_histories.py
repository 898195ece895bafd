"""Removes from a workflow history what only the machine that recorded it has."""

from typing import Any, Final

IDENTITY: Final = "recorder"
"""Identity of every client and worker in a stored history."""

_OF_THIS_MACHINE: Final = frozenset({"stackTrace", "workerVersion", "binaryChecksum"})
"""File paths and a hash over them; replay reads neither."""


def portable(history: Any) -> Any:
    """Return a history without machine-specific data."""
    if isinstance(history, list):
        return [portable(item) for item in history]
    if not isinstance(history, dict):
        return history
    kept = {key: portable(item) for key, item in history.items() if key not in _OF_THIS_MACHINE}
    if kept.get("kind") == "TASK_QUEUE_KIND_STICKY":
        kept["name"] = "sticky"
    if "identity" in kept:
        kept["identity"] = IDENTITY
    return kept
