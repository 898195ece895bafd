"""Whether somebody can be called: what was said of them, held against who is registered."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from models.enums import PresenceState

_CHOSEN: Final = frozenset({PresenceState.BUSY, PresenceState.AWAY})
"""A person says so; a phone that registers again every few minutes does not take it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One word on a user, from whoever told it, good until it expires."""

    state: PresenceState
    user_agent: str | None = None
    contact: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    updated_at: datetime | None = None


NEVER_SEEN: Final = Presence(state=PresenceState.OFFLINE)


def presence_now(posted: Presence | None, registered: Presence | None, now: datetime) -> Presence:
    """Return what holds now of what was posted and what the registrar knows.

    BUSY and AWAY hold until they expire. Otherwise the later word counts: a registration is ONLINE,
    and so is whoever posted it without being registered anywhere we can see.
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
