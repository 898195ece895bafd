"""What crosses into the history of the closing of days: ids and counts.

Fields are only ever added, with a default, so that running workflows can still be read.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDaysStep:
    """Whose days to close next: of the tenants with an id above `after`, some."""

    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDaysResult:
    """What one batch did.

    `after` is the id to go on from, None once every tenant had its turn; `failed` counts tenants
    whose turn failed.
    """

    closed: int = 0
    held: int = 0
    failed: int = 0
    after: int | None = None
