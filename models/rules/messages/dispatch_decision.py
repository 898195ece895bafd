"""Decides whether a message may be handed to a provider now. Pure: the caller holds the locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.enums import (
    OPEN_ATTEMPT,
    TERMINAL,
    AttemptState,
    ConsentStatus,
    ErrorCode,
    MessageStatus,
    MessageType,
)
from models.rules.consent.consent import consent_forbids
from models.rules.consent.marketing_hours import MarketingHours
from models.rules.consent.quiet_hours import NoSuchHour
from models.rules.system.failures import MOST_FAILURES
from models.rules.waits import growing_gap

HELD_BACK_AT_MOST = timedelta(days=30)
"""No message is sent later than this past its due time; an inactive merchant's waits until then."""

_LOOK_AGAIN = timedelta(seconds=5)
_LOOK_AGAIN_SELDOM = timedelta(hours=1)
"""First and longest wait between checks whether an inactive merchant is active again."""

_BACK_OFF_FIRST = timedelta(seconds=2)
_BACK_OFF_LONGEST = timedelta(minutes=5)
"""First and longest back-off after calls that never arrived; 30 days are under 9,999 attempts."""


class DispatchAction(StrEnum):
    """The action for a message to be dispatched."""

    CLAIM = "CLAIM"
    RECONCILE = "RECONCILE"
    REPORT = "REPORT"
    """A provider has already accepted it."""
    WAIT = "WAIT"
    BLOCK = "BLOCK"
    OVER = "OVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A message's state, read under its lock."""

    status: MessageStatus
    completed: bool
    type: MessageType
    due_at: datetime
    expires_at: datetime | None
    merchant_active: bool
    consent: ConsentStatus | None
    attempts: Sequence[AttemptState]
    """States of all attempts, oldest first."""
    suppressed: bool = False
    exempt: bool = False
    """The confirmation of an opt-out or the answer to HELP: exempt from consent."""
    hours: MarketingHours | None = None
    """Set if the message may be sent only in the recipient's daytime."""
    last_finished_at: datetime | None = None
    """When the outcome of the last attempt became known."""
    refused: ErrorCode | None = None
    """Error code of a refusal that any other provider would repeat."""
    sender_fits: bool = True
    """Its sender may be used, or another sender was found."""
    failures: int = 0
    """How often the dispatch failed because of the message itself."""
    told: bool = False
    """A provider has reported on an attempt, which proves that it accepted the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The action, with the time to wait until or the blocking error code."""

    action: DispatchAction
    until: datetime | None = None
    error_code: ErrorCode | None = None
    held_back: bool = False
    """It waits because its merchant is inactive."""


def decide(candidate: Candidate, now: datetime) -> Decision:
    """Return the action; an open attempt takes precedence over everything else."""
    return (
        _under_way(candidate)
        or _unprocessable(candidate)
        or _too_late(candidate, now)
        or _not_yet(candidate, now)
        or _forbidden(candidate, now)
        or Decision(action=DispatchAction.CLAIM)
    )


def _under_way(candidate: Candidate) -> Decision | None:
    """Decide for messages that have ended, were accepted, or may have been accepted."""
    if candidate.completed or candidate.status in TERMINAL:
        return Decision(action=DispatchAction.OVER)
    if AttemptState.ACCEPTED in candidate.attempts:
        return Decision(action=DispatchAction.REPORT)
    if any(state in OPEN_ATTEMPT for state in candidate.attempts):
        # Also when it was reported on: reconciling reads the report and marks the attempt as
        # accepted.
        return Decision(action=DispatchAction.RECONCILE)
    if candidate.told:
        return Decision(action=DispatchAction.REPORT)
    if candidate.refused is not None:
        return Decision(action=DispatchAction.BLOCK, error_code=candidate.refused)
    return None


def _unprocessable(candidate: Candidate) -> Decision | None:
    if candidate.failures < MOST_FAILURES:
        return None
    return Decision(action=DispatchAction.BLOCK, error_code=ErrorCode.UNPROCESSABLE)


def _too_late(candidate: Candidate, now: datetime) -> Decision | None:
    if candidate.expires_at is not None and now >= candidate.expires_at:
        return Decision(action=DispatchAction.BLOCK, error_code=ErrorCode.EXPIRED)
    if now >= candidate.due_at + HELD_BACK_AT_MOST:
        held_back = not candidate.merchant_active and not candidate.exempt
        error_code = ErrorCode.MERCHANT_INACTIVE if held_back else ErrorCode.EXPIRED
        return Decision(action=DispatchAction.BLOCK, error_code=error_code)
    return None


def _not_yet(candidate: Candidate, now: datetime) -> Decision | None:
    until = max(candidate.due_at, _after_absences(candidate) or candidate.due_at)
    return Decision(action=DispatchAction.WAIT, until=until) if now < until else None


def _after_absences(candidate: Candidate) -> datetime | None:
    """Return when to retry after calls that never arrived; the first retry is immediate."""
    absent = sum(state is AttemptState.ABSENT for state in candidate.attempts)
    if absent < 2 or candidate.last_finished_at is None:
        return None
    growing = _BACK_OFF_FIRST * (1 << min(absent - 2, 10))
    return candidate.last_finished_at + min(growing, _BACK_OFF_LONGEST)


def _forbidden(candidate: Candidate, now: datetime) -> Decision | None:
    """Decide by policy; the confirmation of STOP and the answer to HELP are exempt."""
    if candidate.exempt:
        return None if candidate.sender_fits else _no_sender()
    if not candidate.merchant_active:
        return _hold_back(candidate, now)
    forbidden = consent_forbids(candidate.type, candidate.consent, suppressed=candidate.suppressed)
    if forbidden is not None:
        return Decision(action=DispatchAction.BLOCK, error_code=forbidden)
    if not candidate.sender_fits:
        return _no_sender()
    return _in_daytime(candidate.hours, now)


def _no_sender() -> Decision:
    return Decision(action=DispatchAction.BLOCK, error_code=ErrorCode.SENDER_NOT_REGISTERED)


def _hold_back(candidate: Candidate, now: datetime) -> Decision:
    # The interval grows with the wait, to keep the history of an inactive merchant's message short.
    again = now + growing_gap(now - candidate.due_at, _LOOK_AGAIN, _LOOK_AGAIN_SELDOM)
    last = candidate.due_at + HELD_BACK_AT_MOST
    return Decision(
        action=DispatchAction.WAIT,
        until=min(again, candidate.expires_at or last, last),
        held_back=True,
    )


def _in_daytime(hours: MarketingHours | None, now: datetime) -> Decision | None:
    if hours is None:
        return None
    try:
        allowed = hours.next_allowed(now)
    except NoSuchHour:
        return Decision(action=DispatchAction.BLOCK, error_code=ErrorCode.OUTSIDE_HOURS)
    return Decision(action=DispatchAction.WAIT, until=allowed) if allowed > now else None
