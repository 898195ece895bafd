"""Table of the allowed steps of a message's status, and the status of each final report."""

from typing import Final

from models.enums import MessageStatus as S
from models.enums import ReportStatus

STEPS: Final[dict[S, frozenset[S]]] = {
    S.QUEUED: frozenset({S.SCHEDULED, S.SENDING, S.FAILED, S.CANCELED}),
    S.SCHEDULED: frozenset({S.SENDING, S.FAILED, S.CANCELED}),
    S.SENDING: frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED, S.UNKNOWN}),
    S.SENT: frozenset({S.DELIVERED, S.UNDELIVERED, S.FAILED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.DELIVERED, S.UNDELIVERED, S.FAILED}),
    S.DELIVERED: frozenset(),
    S.UNDELIVERED: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELED: frozenset(),
}
"""UNKNOWN may be corrected once, by a late report; no other terminal status changes."""

STARTS: Final = frozenset({S.QUEUED, S.SCHEDULED})
"""Initial statuses."""

_ENDS: Final[dict[ReportStatus, S]] = {
    ReportStatus.DELIVERED: S.DELIVERED,
    ReportStatus.UNDELIVERED: S.UNDELIVERED,
    ReportStatus.FAILED: S.FAILED,
}


def may_step(current: S, following: S) -> bool:
    """Return whether the status may change from `current` to `following`."""
    return following in STEPS[current]


def status_of(report: ReportStatus) -> S:
    """Return the terminal status of a final report; raises KeyError for any other report."""
    return _ENDS[report]
