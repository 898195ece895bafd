"""Combines the posted presence of a SIP user with its registration."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from models.enums import PresenceState

_CHOSEN: Final = frozenset({PresenceState.BUSY, PresenceState.AWAY})
"""States that a person chooses; a re-registration of the phone does not override them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One reported state of a user and its source, valid until it expires."""

    state: PresenceState
    user_agent: str | None = None
    contact: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    updated_at: datetime | None = None


NEVER_SEEN: Final = Presence(state=PresenceState.OFFLINE)


def presence_now(posted: Presence | None, registered: Presence | None, now: datetime) -> Presence:
    """Return the current presence, given the posted one and the registration.

    BUSY and AWAY are valid until they expire. Otherwise the later one counts: a registration means
    ONLINE, and a posted ONLINE counts even without a registration in our registrar.
    """
    registered = registered if _holds(registered, now) else None
    if posted is None:
        return registered or NEVER_SEEN
    if not _holds(posted, now):
        return registered or Presence(
            state=PresenceState.OFFLINE,
            user_agent=posted.user_agent,
            expires_at=posted.expires_at,
            updated_at=posted.updated_at,
        )
    if registered is None or posted.state in _CHOSEN:
        return posted
    return registered if _later(registered, posted) else posted


def _holds(word: Presence | None, now: datetime) -> bool:
    return word is not None and word.expires_at is not None and now < word.expires_at


def _later(one: Presence, other: Presence) -> bool:
    if one.updated_at is None or other.updated_at is None:
        return False
    return one.updated_at > other.updated_at
