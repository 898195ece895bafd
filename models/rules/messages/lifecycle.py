"""The one table of steps a message's status may take, and what a provider's report makes of it."""

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
"""UNKNOWN may be corrected once, by a report that comes late; nothing else moves backwards."""

STARTS: Final = frozenset({S.QUEUED, S.SCHEDULED})
"""A message is accepted as one of these."""

_ENDS: Final[dict[ReportStatus, S]] = {
    ReportStatus.DELIVERED: S.DELIVERED,
    ReportStatus.UNDELIVERED: S.UNDELIVERED,
    ReportStatus.FAILED: S.FAILED,
}


def may_step(current: S, following: S) -> bool:
    """Say whether the status may go from one word to the other."""
    return following in STEPS[current]


def status_of(report: ReportStatus) -> S:
    """Return the status a final report ends a message with; KeyError for any other."""
    return _ENDS[report]
