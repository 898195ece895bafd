"""Parses the seconds in a Retry-After header (RFC 9110, 10.2.3)."""

from datetime import timedelta
from typing import Final

_COUNTED_DIGITS: Final = 10
"""The delay is capped, and Python refuses to parse very long numbers."""


def parse_seconds(value: str, most: timedelta) -> timedelta | None:
    """Return the delay, at most `most`; None for a text that is not a number of seconds."""
    if not (value.isascii() and value.isdigit()):
        return None
    return min(timedelta(seconds=int(value.lstrip("0")[:_COUNTED_DIGITS] or "0")), most)
