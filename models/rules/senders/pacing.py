"""How fast a sender may send: moments, gaps and turns. Pure: the caller holds the sender's lock.

A sender's lane knows the next free moment. Who books it moves it on by the gap of what is sent, so
that no second holds more than nine tenths of the limit and one message.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Final

from models.enums import Channel, MessageType

NEAR: Final = timedelta(seconds=0.5)
"""A moment this near is waited for on the spot; nobody is let in further ahead."""

LEAD: Final = timedelta(seconds=0.35)
"""A moment is told this long before it comes, where that can be chosen."""

LATE: Final = timedelta(seconds=0.1)
"""Who is this late books another moment: so little that the headroom covers it."""

PATIENT: Final = timedelta(seconds=1)
"""Who was late waits this long on the spot for the other moment, lest it is late again."""

COME_BACK: Final = timedelta(seconds=0.4)
"""Who keeps a moment that is far comes back this long before it."""

UNCLAIMED: Final = timedelta(seconds=15)
"""A moment nobody came for is offered again after this."""

MOST_AT_ONCE: Final = 200
"""Let in by one turn of the pump, however high the limit."""

_HEADROOM: Final = Decimal("0.9")
"""Of the limit is used: the way to the provider is not always equally long."""

_LONGEST_PAUSE: Final = timedelta(seconds=5)

_ASK_AGAIN: Final = timedelta(seconds=60)
_ASK_AGAIN_LONGEST: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A sender's lane on one channel, under its lock."""

    now: datetime
    """By the database's clock: it is one for all workers."""
    limit: Decimal | None
    """Segments or calls a second; None after it was taken away."""
    free_at: datetime | None
    crowded: bool = False
    """Somebody stands in line."""

    @property
    def next_moment(self) -> datetime:
        """The moment the next booking gets."""
        if self.free_at is None or self.limit is None:
            return self.now
        return max(self.free_at, self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message stands: in line, or let in at a moment of its own."""

    queued_at: datetime
    granted_at: datetime | None


class Way(StrEnum):
    """What a message does when it comes to its sender's lane."""

    CALL = "CALL"
    """Wait for the moment on the spot, then call the provider."""
    RETURN = "RETURN"
    """Keep the moment, and come back shortly before it."""
    STAND = "STAND"
    """Stand in line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The way, with its moment; `free_at` is set if the moment was booked just now."""

    way: Way
    moment: datetime | None = None
    free_at: datetime | None = None


def paced_units(channel: Channel, units: int) -> int:
    """Return what a message takes of its lane: the segments of an SMS, one call."""
    return max(units, 1) if channel is Channel.SMS else 1


def gap(units: int, limit: Decimal | None) -> timedelta:
    """Return how long a lane is taken by so many units."""
    if limit is None:
        return timedelta(0)
    micros = Decimal(units) * 1_000_000 / (limit * _HEADROOM)
    return timedelta(microseconds=int(micros.to_integral_value(ROUND_CEILING)))


def fresh(place: Place | None, now: datetime) -> bool:
    """Tell whether a place holds a moment that can still be used."""
    return place is not None and place.granted_at is not None and now <= place.granted_at + LATE


def take_turn(lane: Lane, place: Place | None, *, type: MessageType, units: int) -> Turn:
    """Say what a message does that may be sent now.

    An OTP passes the line by, and so does who was let in before: they book the next moment, however
    far. All others book it only if nobody stands in line and it is near.
    """
    granted_at = None if place is None else place.granted_at
    if granted_at is not None and fresh(place, lane.now):
        return Turn(way=_way(granted_at, lane.now, NEAR), moment=granted_at)
    moment = lane.next_moment
    if type is not MessageType.OTP and granted_at is None:
        stands = place is not None or lane.crowded or moment > lane.now + NEAR
        if stands and lane.limit is not None:
            return Turn(way=Way.STAND)
    near = NEAR if granted_at is None else PATIENT
    return Turn(
        way=_way(moment, lane.now, near), moment=moment, free_at=moment + gap(units, lane.limit)
    )


def _way(moment: datetime, now: datetime, near: timedelta) -> Way:
    return Way.CALL if moment <= now + near else Way.RETURN


def most_to_let_in(limit: Decimal | None) -> int:
    """Return how many at most can fit the near future: so many are looked at."""
    if limit is None:
        return MOST_AT_ONCE
    fitting = int(limit * Decimal(NEAR.total_seconds())) + 1
    return min(fitting, MOST_AT_ONCE)


def let_in(lane: Lane, waiting: Iterable[int]) -> tuple[list[datetime], datetime]:
    """Give moments to those who fit the near future, in their order.

    Args:
        waiting: units of each who stands in line, the next one first.

    Returns:
        The moments of the first of them, and when the lane is free again.
    """
    moments: list[datetime] = []
    free_at = lane.next_moment
    for units in waiting:
        if free_at > lane.now + NEAR:
            break
        moments.append(free_at)
        free_at += gap(units, lane.limit)
    return moments, free_at


def next_turn(
    lane: Lane, free_at: datetime, *, crowded: bool, first_grant: datetime | None
) -> timedelta | None:
    """Return when the pump looks again: None if there is nobody left to look after."""
    shortest = timedelta(milliseconds=50)
    if crowded:
        # Never long: the limit may be raised meanwhile.
        return min(max(free_at - LEAD - lane.now, shortest), _LONGEST_PAUSE)
    if first_grant is not None:
        return max(first_grant + UNCLAIMED - lane.now, shortest)
    return None


def ask_again(queued_at: datetime, now: datetime, expires_at: datetime | None) -> datetime:
    """Return when a message in line asks unasked, ever more seldom: its signal may be lost."""
    wait = min(max(_ASK_AGAIN, now - queued_at), _ASK_AGAIN_LONGEST)
    return now + wait if expires_at is None else min(now + wait, expires_at)
