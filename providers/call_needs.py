"""Which providers can place a call as it is requested."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from models.enums import Channel
from providers.ports.messages import Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNeeds:
    """What a call requires of its provider."""

    recorded: bool
    longest: timedelta
    """When it is ended: only the minutes of this duration are held."""


def needs_of(channel: Channel, details: Mapping[str, Any]) -> CallNeeds | None:
    """Return what a message requires by its details; None if it is not a call."""
    if channel is not Channel.VOICE:
        return None
    longest = timedelta(seconds=details["longestSeconds"])
    return CallNeeds(recorded=details["record"], longest=longest)


def is_able(capabilities: Capabilities, needs: CallNeeds) -> bool:
    """Return whether a provider can place such a call.

    A provider that cannot limit the time of ringing is able all the same: then the callee's network
    ends it.
    """
    if needs.recorded and not capabilities.recording:
        return False
    return needs.longest <= capabilities.longest_call
