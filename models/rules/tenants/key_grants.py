"""Decides what a key may give to a key that it creates. Pure."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from models.enums import KeyScope

LATEST_EXPIRY: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Keys expire before it: Python reads no later year than 9999, and the time zone of a database
session may be ahead of UTC.
"""


def scopes_lacking(own: Collection[KeyScope], wanted: Collection[KeyScope]) -> tuple[KeyScope, ...]:
    """Return the wanted scopes that a key does not have itself, in the order of KeyScope."""
    return tuple(scope for scope in KeyScope if scope in wanted and scope not in own)


def is_valid_longer(wanted: datetime | None, own: datetime | None) -> bool:
    """Return whether a key would be valid after the key that creates it; None never expires."""
    return own is not None and (wanted is None or wanted > own)


def in_order(scopes: Collection[KeyScope]) -> list[str]:
    """Return scopes as they are stored: each once, in the order of KeyScope."""
    return [scope.value for scope in KeyScope if scope in scopes]
