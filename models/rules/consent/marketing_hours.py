"""Which messages only go out in the recipient's daytime, and when that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

from models.enums import Channel, MessageType
from models.rules.consent.quiet_hours import (
    FEDERAL,
    NoSuchHour,
    narrowed,
    next_allowed,
    next_in_all,
    zones_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketingHours:
    """The merchant's window where the recipient is. A setting may narrow it, never widen it."""

    to: str
    merchant_zone: str
    opens: time | None
    closes: time | None
    named_zones: Sequence[str] = ()
    """For numbers whose zones share no hour of the window: the zone that decides."""

    def next_allowed(self, now: datetime) -> datetime:
        """Return the first allowed moment from now on; raise NoSuchHour if there is none."""
        window = narrowed(FEDERAL, self.opens, self.closes)
        zones = zones_of(self.to, self.merchant_zone)
        try:
            return next_allowed(now, zones, window)
        except NoSuchHour:
            named = next((zone for zone in self.named_zones if zone in zones), None)
            if named is None:
                raise
        try:  # The merchant's hours in one zone, the lawful ones in all.
            return next_in_all(now, [(named, window), *((zone, FEDERAL) for zone in zones)])
        except NoSuchHour:
            return next_allowed(now, [named], window)


def needs_daytime(channel: Channel, message_type: MessageType) -> bool:
    """Say whether quiet hours hold this message: MARKETING that rings or buzzes."""
    return message_type is MessageType.MARKETING and channel is not Channel.EMAIL
