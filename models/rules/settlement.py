"""How a message ends: what its attempts and reports make of status, units and usage. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from models.enums import (
    FINAL_REPORT,
    AttemptState,
    ErrorCode,
    MessageStatus,
    ReportStatus,
)
from models.rules.lifecycle import status_of
from models.rules.periods import day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFact:
    """One call to a provider, as it stands."""

    number: int
    provider: str
    state: AttemptState
    requested_at: datetime
    provider_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFact:
    """One stored report."""

    attempt: int
    status: ReportStatus
    error_code: ErrorCode | None
    provider_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a message, under its lock. Attempts and reports are oldest first."""

    status: MessageStatus
    units: int
    corrected: bool
    attempts: Sequence[AttemptFact]
    reports: Sequence[ReportFact]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The last word on a message: the row takes these values, its hold is split accordingly.

    `captured` of the held units are used, the rest is released. `provider` and `day` are set when
    a provider surely took it: then it counts in the usage of that UTC day.
    """

    status: MessageStatus
    captured: int
    error_code: ErrorCode | None = None
    provider_code: str | None = None
    provider: str | None = None
    day: date | None = None


def end_by_report(facts: Facts) -> End | None:
    """Return the end the first final report makes; None while there is none.

    The first one counts: what a provider says after its last word changes nothing.
    """
    final = next((report for report in facts.reports if report.status in FINAL_REPORT), None)
    if final is None:
        return None
    status = status_of(final.status)
    assert status is not None
    attempt = next(a for a in facts.attempts if a.number == final.attempt)
    return End(
        status=status,
        captured=facts.units,
        error_code=final.error_code if status is not MessageStatus.DELIVERED else None,
        provider_code=final.provider_code,
        provider=attempt.provider,
        day=day_of(attempt.requested_at),
    )


def end_without_truth(facts: Facts) -> End:
    """Return the end of a message nobody could tell the truth about.

    Once a provider has surely taken it, its units stay captured; otherwise they are released.
    """
    taken = next((a for a in facts.attempts if a.state is AttemptState.ACCEPTED), None)
    if taken is None:
        return End(status=MessageStatus.UNKNOWN, captured=0, error_code=ErrorCode.DELIVERY_UNKNOWN)
    return End(
        status=MessageStatus.UNKNOWN,
        captured=facts.units,
        error_code=ErrorCode.DELIVERY_UNKNOWN,
        provider=taken.provider,
        day=day_of(taken.requested_at),
    )


def end_refused(facts: Facts, error_code: ErrorCode) -> End:
    """Return the end of a message that no provider took."""
    refused = [a for a in facts.attempts if a.state is AttemptState.REFUSED]
    return End(
        status=MessageStatus.FAILED,
        captured=0,
        error_code=error_code,
        provider_code=refused[-1].provider_code if refused else None,
    )


def correction(facts: Facts, today: date) -> End | None:
    """Return what a late report makes of an UNKNOWN, once; booked today, units not taken again."""
    if facts.status is not MessageStatus.UNKNOWN or facts.corrected:
        return None
    end = end_by_report(facts)
    if end is None:
        return None
    return End(
        status=end.status,
        captured=0,
        error_code=end.error_code,
        provider_code=end.provider_code,
        provider=end.provider,
        day=today,
    )
