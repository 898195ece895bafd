"""Which messages only go out in the recipient's daytime, and when that is."""

from dataclasses import dataclass
from datetime import datetime, time

from models.enums import Channel, MessageType
from models.rules.consent.quiet_hours import FEDERAL, narrowed, next_allowed, zones_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketingHours:
    """The merchant's window where the recipient is. A setting may narrow it, never widen it."""

    to: str
    merchant_zone: str
    opens: time | None
    closes: time | None

    def next_allowed(self, now: datetime) -> datetime:
        """Return the first allowed moment from now on; raise NoSuchHour if there is none."""
        window = narrowed(FEDERAL, self.opens, self.closes)
        return next_allowed(now, zones_of(self.to, self.merchant_zone), window)


def needs_daytime(channel: Channel, message_type: MessageType) -> bool:
    """Say whether quiet hours hold this message: MARKETING that rings or buzzes."""
    return message_type is MessageType.MARKETING and channel is not Channel.EMAIL
