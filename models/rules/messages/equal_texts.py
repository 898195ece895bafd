"""Decides which of a vendor's listed messages belongs to an attempt whose answer was lost. Pure.

A vendor that can only list shows equal messages that cannot be told apart. One message must never
prove two attempts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from models.enums import OPEN_ATTEMPT, AttemptState

WINDOW_SLACK: Final = timedelta(minutes=5)
"""Attempts whose windows are no further apart may have become the same listed message.

Larger than the clock differences that any adapter allows when it compares times.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualAttempt:
    """An attempt at the same vendor with equal sender, recipient and text at about the time."""

    key: tuple[int, int, int]
    """Row ids of tenant and message, and the attempt's number."""
    state: AttemptState
    requested_at: datetime
    provider_message_id: str | None


class Presence(StrEnum):
    """What a list says about an attempt."""

    PROVEN = "PROVEN"
    """The provider has its message."""
    NOT_LISTED = "NOT_LISTED"
    """Every listed message belongs to another attempt, or none is listed."""
    UNCLEAR = "UNCLEAR"
    """Fewer messages are listed than attempts may have sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Result for one attempt; the provider's id is set if it is proven."""

    presence: Presence
    provider_message_id: str | None = None


def assign(
    candidates: Sequence[str], mine: tuple[int, int, int], equals: Sequence[EqualAttempt]
) -> Assignment:
    """Assign one of the listed ids, oldest first, to an attempt.

    `equals` are all attempts that may have become one of them. `mine` is the attempt by tenant,
    message and number; if it is not among them, equal attempts are not known. It is proven only if
    at least as many ids have no owner as attempts may have sent one: then each of them did.
    """
    owned = {attempt.provider_message_id: attempt.key for attempt in equals}
    for id, owner in owned.items():
        if owner == mine and id is not None:
            return Assignment(presence=Presence.PROVEN, provider_message_id=id)
    free = [id for id in dict.fromkeys(candidates) if id not in owned]
    if not free:
        return Assignment(presence=Presence.NOT_LISTED)
    waiting = sorted(
        (attempt.requested_at, attempt.key)
        for attempt in equals
        if _may_have_sent(attempt, message=mine[:2])
    )
    ranks = [key for _, key in waiting]
    if mine not in ranks or len(free) < len(ranks):
        return Assignment(presence=Presence.UNCLEAR)
    return Assignment(presence=Presence.PROVEN, provider_message_id=free[ranks.index(mine)])


def _may_have_sent(attempt: EqualAttempt, *, message: tuple[int, int]) -> bool:
    """Return whether a listed message without an owner may be this attempt's.

    The absence of another message was only inferred from a list that may have been incomplete.
    """
    if attempt.provider_message_id is not None:
        return False
    if attempt.state in OPEN_ATTEMPT:
        return True
    return attempt.state is AttemptState.ABSENT and attempt.key[:2] != message
