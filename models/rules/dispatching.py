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
from models.rules.consent import consent_forbids
from models.rules.marketing_hours import MarketingHours
from models.rules.quiet_hours import NoSuchHour

HELD_BACK_AT_MOST = timedelta(days=30)
"""How long past due an inactive merchant's messages wait for it."""

_LOOK_AGAIN = timedelta(seconds=30)


class Move(StrEnum):
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
    refused: ErrorCode | None = None
    """Why a provider refused it that any other would refuse it for as well."""
    told: bool = False
    """A provider has reported on one of them, so it was taken, whatever else it seems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The move, with the time to wait until or the word that blocks."""

    move: Move
    until: datetime | None = None
    error_code: ErrorCode | None = None


def decide(candidate: Candidate, now: datetime) -> Decision:
    """Say what may be done: an open attempt is never passed over, whatever else is true."""
    if candidate.completed or candidate.status in TERMINAL:
        return Decision(move=Move.OVER)
    if candidate.told or AttemptState.ACCEPTED in candidate.attempts:
        return Decision(move=Move.REPORT)
    if any(state in OPEN_ATTEMPT for state in candidate.attempts):
        return Decision(move=Move.RECONCILE)
    if candidate.refused is not None:
        return Decision(move=Move.BLOCK, error_code=candidate.refused)
    if candidate.expires_at is not None and now >= candidate.expires_at:
        return Decision(move=Move.BLOCK, error_code=ErrorCode.EXPIRED)
    if now < candidate.due_at:
        return Decision(move=Move.WAIT, until=candidate.due_at)
    if candidate.exempt:
        return Decision(move=Move.CLAIM)
    if not candidate.merchant_active:
        return _hold_back(candidate, now)
    forbidden = consent_forbids(candidate.type, candidate.consent, suppressed=candidate.suppressed)
    if forbidden is not None:
        return Decision(move=Move.BLOCK, error_code=forbidden)
    return _in_daytime(candidate.hours, now)


def _in_daytime(hours: MarketingHours | None, now: datetime) -> Decision:
    if hours is None:
        return Decision(move=Move.CLAIM)
    try:
        allowed = hours.next_allowed(now)
    except NoSuchHour:
        return Decision(move=Move.BLOCK, error_code=ErrorCode.OUTSIDE_HOURS)
    if allowed > now:
        return Decision(move=Move.WAIT, until=allowed)
    return Decision(move=Move.CLAIM)


def _hold_back(candidate: Candidate, now: datetime) -> Decision:
    if now >= candidate.due_at + HELD_BACK_AT_MOST:
        return Decision(move=Move.BLOCK, error_code=ErrorCode.MERCHANT_INACTIVE)
    # Growing with the wait, so that a merchant that is off for weeks leaves a short history.
    again = now + max(_LOOK_AGAIN, (now - candidate.due_at) / 20)
    last = candidate.due_at + HELD_BACK_AT_MOST
    return Decision(move=Move.WAIT, until=min(again, candidate.expires_at or last, last))
