"""Parses the public ids in paths."""

from typing import Final

_LONGEST: Final = 16
"""Digits; public ids are not longer."""


def read_public_id(given: str) -> int | None:
    """Parse a public id; None for a text that can't be one."""
    is_id = given.isascii() and given.isdecimal() and len(given) <= _LONGEST
    return int(given) if is_id else None
