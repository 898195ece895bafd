"""Which providers can place a call as it is requested."""

from dataclasses import dataclass
from datetime import timedelta

from providers.ports.messages import Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNeeds:
    """What a call requires of its provider."""

    recorded: bool
    longest: timedelta
    """When it is ended: only the minutes of this duration are held."""


def is_able(capabilities: Capabilities, needs: CallNeeds) -> bool:
    """Return whether a provider can place such a call.

    A provider that cannot limit the time of ringing is able all the same: then the callee's network
    ends it.
    """
    if needs.recorded and not capabilities.recording:
        return False
    return needs.longest <= capabilities.longest_call
