"""Inputs and results of `close-days` in Temporal history: ids and counts.

Fields are only added, with a default, so that running workflows can still be read.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDaysStep:
    """The next batch: tenants with an id above `after`."""

    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDaysResult:
    """Result of one batch.

    `after` is the id to continue from, None after the last tenant; `failed` counts tenants whose
    days could not be processed.
    """

    closed: int = 0
    held: int = 0
    failed: int = 0
    after: int | None = None
