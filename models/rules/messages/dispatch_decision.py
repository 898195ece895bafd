"""Whether a message may be handed to a provider now. Pure: the caller holds the locks."""

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

HELD_BACK_AT_MOST = timedelta(days=30)
"""How long past due a message may still be sent; an inactive merchant's waits for it."""

_LOOK_AGAIN = timedelta(seconds=5)
_LOOK_AGAIN_SELDOM = timedelta(hours=1)
"""Whether an inactive merchant is active again: soon at first, and at least so often."""

_BACK_OFF_FIRST = timedelta(seconds=2)
_BACK_OFF_LONGEST = timedelta(minutes=5)
"""Between calls to a provider that loses them all: 30 days of trying stay under 9,999 attempts."""


class DispatchAction(StrEnum):
    """What to do with a message that asks to be dispatched."""

    CLAIM = "CLAIM"
    RECONCILE = "RECONCILE"
    REPORT = "REPORT"
    """A provider has taken it already."""
    WAIT = "WAIT"
    BLOCK = "BLOCK"
    OVER = "OVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A message as it stands, under its lock."""

    status: MessageStatus
    completed: bool
    type: MessageType
    due_at: datetime
    expires_at: datetime | None
    merchant_active: bool
    consent: ConsentStatus | None
    attempts: Sequence[AttemptState]
    """Of all attempts, oldest first."""
    suppressed: bool = False
    exempt: bool = False
    """The one confirmation of an opt-out, and the answer to HELP: consent does not hold them."""
    hours: MarketingHours | None = None
    """Set for what may only go out in the recipient's daytime."""
    last_finished_at: datetime | None = None
    """When the outcome of the last attempt was known."""
    refused: ErrorCode | None = None
    """Why a provider refused it that any other would refuse it for as well."""
    sender_fits: bool = True
    """Its sender may be used, or another was found."""
    failures: int = 0
    """How often handing it over failed by the message itself."""
    told: bool = False
    """A provider has reported on one of them, so it was taken, whatever else it seems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The action, with the time to wait until or the word that blocks."""

    action: DispatchAction
    until: datetime | None = None
    error_code: ErrorCode | None = None
    held_back: bool = False
    """It waits because its merchant is inactive."""


def decide(candidate: Candidate, now: datetime) -> Decision:
    """Say what may be done: an open attempt is never passed over, whatever else is true."""
    return (
        _under_way(candidate)
        or _unprocessable(candidate)
        or _too_late(candidate, now)
        or _not_yet(candidate, now)
        or _forbidden(candidate, now)
        or Decision(action=DispatchAction.CLAIM)
    )


def _under_way(candidate: Candidate) -> Decision | None:
    """Answer for what has ended, is taken, or may be."""
    if candidate.completed or candidate.status in TERMINAL:
        return Decision(action=DispatchAction.OVER)
    if AttemptState.ACCEPTED in candidate.attempts:
        return Decision(action=DispatchAction.REPORT)
    if any(state in OPEN_ATTEMPT for state in candidate.attempts):
        # Also when it was reported on: reconciling reads that, and writes down that it was taken.
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
        word = ErrorCode.MERCHANT_INACTIVE if held_back else ErrorCode.EXPIRED
        return Decision(action=DispatchAction.BLOCK, error_code=word)
    return None


def _not_yet(candidate: Candidate, now: datetime) -> Decision | None:
    until = max(candidate.due_at, _after_absences(candidate) or candidate.due_at)
    return Decision(action=DispatchAction.WAIT, until=until) if now < until else None


def _after_absences(candidate: Candidate) -> datetime | None:
    """Return when a call may be tried again that surely never arrived: the first one at once."""
    absent = sum(state is AttemptState.ABSENT for state in candidate.attempts)
    if absent < 2 or candidate.last_finished_at is None:
        return None
    growing = _BACK_OFF_FIRST * (1 << min(absent - 2, 10))
    return candidate.last_finished_at + min(growing, _BACK_OFF_LONGEST)


def _forbidden(candidate: Candidate, now: datetime) -> Decision | None:
    """Answer for what policy holds back; the one answer to a STOP or HELP it does not."""
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
    # Growing with the wait, so that a merchant that is off for weeks leaves a short history.
    again = now + min(max(_LOOK_AGAIN, (now - candidate.due_at) / 20), _LOOK_AGAIN_SELDOM)
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
