"""Timestamps of the simulator: aware, UTC, written with milliseconds and a Z."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """Format a UTC moment as ISO 8601."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
