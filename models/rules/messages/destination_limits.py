"""Limits against toll fraud: OTPs to one contact, and new recipients behind one prefix."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from models.enums import Channel, DeliveryMode, MessageType

LARGEST_LIMIT: Final = 1000
"""Times of sends are kept in one row up to the limit, so it is bounded."""

_TEN_MINUTES: Final = timedelta(minutes=10)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

_LAST_DIGITS: Final = 4
"""Of a number; what stands before them is its prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationLimits:
    """What a tenant set; 0 is no limit, None the default of its delivery mode."""

    otps_per_10_minutes: int | None = None
    otps_per_day: int | None = None
    new_recipients_per_hour: int | None = None


LIVE_DEFAULTS: Final = DestinationLimits(
    otps_per_10_minutes=5, otps_per_day=20, new_recipients_per_hour=100
)
"""In the simulator there is no limit by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `most` sends within any `span`."""

    most: int
    span: timedelta


def contact_limits(
    limits: DestinationLimits, mode: DeliveryMode, channel: Channel, type: MessageType
) -> list[Limit]:
    """Return how often a contact may be sent to; empty if there is no limit."""
    if channel is Channel.EMAIL or type is not MessageType.OTP:
        return []
    brief = _chosen(limits.otps_per_10_minutes, LIVE_DEFAULTS.otps_per_10_minutes, mode)
    daily = _chosen(limits.otps_per_day, LIVE_DEFAULTS.otps_per_day, mode)
    return _set((brief, _TEN_MINUTES), (daily, _DAY))


def prefix_limits(limits: DestinationLimits, mode: DeliveryMode, channel: Channel) -> list[Limit]:
    """Return how many new recipients a merchant may send to behind one prefix."""
    if channel is Channel.EMAIL:
        return []
    default = LIVE_DEFAULTS.new_recipients_per_hour
    return _set((_chosen(limits.new_recipients_per_hour, default, mode), _HOUR))


def prefix_of(number: str) -> str:
    """Return the block of 10,000 numbers that a number in E.164 belongs to."""
    return number[:-_LAST_DIGITS]


@dataclass(slots=True, kw_only=True)
class SendTimes:
    """When a destination was sent to, under the lock of its row."""

    sent_at: Sequence[datetime]
    expires_at: datetime
    """From then on no limit counts any of the times."""

    def wait(self, limits: Sequence[Limit], now: datetime) -> int:
        """Return 0 if one more send is allowed, else the seconds until it is."""
        for limit in limits:
            if sum(at > now - limit.span for at in self.sent_at) >= limit.most:
                return seconds_to_wait(self.sent_at, limits, now)
        return 0

    def count(self, limits: Sequence[Limit], now: datetime) -> None:
        """Count a send; times that no limit counts any more are dropped."""
        longest = max(limit.span for limit in limits)
        self.sent_at = [*(at for at in self.sent_at if at > now - longest), now]
        self.expires_at = max(self.expires_at, now + longest)


def seconds_to_wait(sent_at: Sequence[datetime], limits: Sequence[Limit], now: datetime) -> int:
    """Return after how many seconds one more send is within every limit; at least 1."""
    free_at = now
    for limit in limits:
        recent = sorted(at for at in sent_at if at > now - limit.span)
        if len(recent) >= limit.most:
            free_at = max(free_at, recent[len(recent) - limit.most] + limit.span)
    return max(1, ceil((free_at - now).total_seconds()))


def _chosen(chosen: int | None, default: int | None, mode: DeliveryMode) -> int:
    if chosen is not None:
        return chosen
    return default or 0 if mode is DeliveryMode.LIVE else 0


def _set(*given: tuple[int, timedelta]) -> list[Limit]:
    return [Limit(most=most, span=span) for most, span in given if most]
