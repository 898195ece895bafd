"""Decides which messages may be sent only in the recipient's daytime, and when."""

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
    """A merchant's marketing hours in the recipient's zones; they only narrow the legal hours.

    The legal hours hold in every zone of the recipient: no number's zones lack a common one.
    """

    to: str
    merchant_zone: str
    opens: time | None
    closes: time | None
    named_zones: Sequence[str] = ()
    """Where the merchant's hours fit no moment in all zones, they apply only in the first of these
    that is one of the recipient's zones."""

    def next_allowed(self, now: datetime) -> datetime:
        """Return the first allowed time from now on; raises NoSuchHour if there is none."""
        window = narrowed(FEDERAL, self.opens, self.closes)
        zones = zones_of(self.to, self.merchant_zone)
        try:
            return next_allowed(now, zones, window)
        except NoSuchHour:
            named = next((zone for zone in self.named_zones if zone in zones), None)
            if named is None:
                raise
        return next_in_all(now, [(named, window), *((zone, FEDERAL) for zone in zones)])


def needs_daytime(channel: Channel, message_type: MessageType) -> bool:
    """Return whether quiet hours apply: MARKETING by a channel other than e-mail."""
    return message_type is MessageType.MARKETING and channel is not Channel.EMAIL
