"""Reserves send slots of a rate-limited sender. Pure: the caller holds the sender's row lock.

A sender has a next free slot per channel. Each reservation advances it by the duration of the
message, so that no second holds more than nine tenths of the limit plus one message.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Final

from models.enums import Channel, MessageType

INLINE_WAIT: Final = timedelta(seconds=0.5)
"""The dispatch waits inline for a slot at most this far ahead; none is granted further ahead."""

GRANT_LEAD: Final = timedelta(seconds=0.35)
"""Slots are granted this long before they begin, if the workflow of the queue can choose."""

SLOT_TOLERANCE: Final = timedelta(seconds=0.1)
"""A message this late reserves another slot. The headroom below covers a smaller delay."""

LATE_INLINE_WAIT: Final = timedelta(seconds=1)
"""The dispatch waits inline this long for the slot that replaces a missed one."""

RETURN_LEAD: Final = timedelta(seconds=0.4)
"""A message that keeps a distant slot is dispatched again this long before it."""

UNUSED_AFTER: Final = timedelta(seconds=15)
"""A granted slot that is not used within this time is granted again."""

MAX_GRANTS: Final = 200
"""Slots granted in one turn of the queue's workflow, however high the limit."""

_HEADROOM: Final = Decimal("0.9")
"""The share of the limit that is used, because the latency to the provider varies."""

_LONGEST_PAUSE: Final = timedelta(seconds=5)

_RECHECK: Final = timedelta(seconds=60)
_LONGEST_RECHECK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderState:
    """A sender's limit and next free slot on one channel, read under its row lock."""

    now: datetime
    """Time of the database's clock, which all workers share."""
    limit: Decimal | None
    """Segments or calls a second; None if the limit was removed."""
    free_at: datetime | None
    has_queue: bool = False
    """Another message is queued and has no slot yet."""

    @property
    def next_slot(self) -> datetime:
        """Start of the next slot to be reserved."""
        if self.free_at is None or self.limit is None:
            return self.now
        return max(self.free_at, self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A message's row in the sender queue; `granted_at` is set once it has a slot."""

    queued_at: datetime
    granted_at: datetime | None


class SlotAction(StrEnum):
    """The action of a message that may be sent now, given its sender's limit."""

    CALL = "CALL"
    """Wait for the slot inline, then call the provider."""
    RETURN = "RETURN"
    """Keep the slot, and dispatch again shortly before it."""
    QUEUE = "QUEUE"
    """Wait in the sender queue until a slot is granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotDecision:
    """The action and the slot's time; `free_at` is set if the slot was just reserved."""

    action: SlotAction
    slot: datetime | None = None
    free_at: datetime | None = None


def paced_units(channel: Channel, units: int) -> int:
    """Return a message's share of the sender's limit: the segments of an SMS, or one call."""
    return max(units, 1) if channel is Channel.SMS else 1


def gap(units: int, limit: Decimal | None) -> timedelta:
    """Return how long this many units occupy a sender."""
    if limit is None:
        return timedelta(0)
    micros = Decimal(units) * 1_000_000 / (limit * _HEADROOM)
    return timedelta(microseconds=int(micros.to_integral_value(ROUND_CEILING)))


def has_usable_slot(entry: QueueEntry | None, now: datetime) -> bool:
    """Return whether a queue entry has a slot that is not missed yet."""
    return (
        entry is not None
        and entry.granted_at is not None
        and now <= entry.granted_at + SLOT_TOLERANCE
    )


def decide_slot(
    sender: SenderState, entry: QueueEntry | None, *, type: MessageType, units: int
) -> SlotDecision:
    """Decide how a message that may be sent now gets its slot.

    An OTP is never queued, nor is a message that missed a granted slot: they reserve the next slot,
    however far ahead. All others reserve it only if no message is queued and the slot is near.
    """
    granted_at = None if entry is None else entry.granted_at
    if granted_at is not None and has_usable_slot(entry, sender.now):
        return SlotDecision(action=_action(granted_at, sender.now, INLINE_WAIT), slot=granted_at)
    slot = sender.next_slot
    if type is not MessageType.OTP and granted_at is None:
        queues = entry is not None or sender.has_queue or slot > sender.now + INLINE_WAIT
        if queues and sender.limit is not None:
            return SlotDecision(action=SlotAction.QUEUE)
    longest_wait = INLINE_WAIT if granted_at is None else LATE_INLINE_WAIT
    return SlotDecision(
        action=_action(slot, sender.now, longest_wait),
        slot=slot,
        free_at=slot + gap(units, sender.limit),
    )


def _action(slot: datetime, now: datetime, longest_wait: timedelta) -> SlotAction:
    return SlotAction.CALL if slot <= now + longest_wait else SlotAction.RETURN


def max_grants(limit: Decimal | None) -> int:
    """Return how many slots one turn may grant, which is how many queued messages it reads."""
    if limit is None:
        return MAX_GRANTS
    fitting = int(limit * Decimal(INLINE_WAIT.total_seconds())) + 1
    return min(fitting, MAX_GRANTS)


def grant_slots(sender: SenderState, queued: Iterable[int]) -> tuple[list[datetime], datetime]:
    """Grant the slots of the next half second to queued messages, in their order.

    Args:
        sender: the sender under its lock.
        queued: units of each queued message, the next one first.

    Returns:
        The slots of the first of them, and when the sender is free again.
    """
    slots: list[datetime] = []
    free_at = sender.next_slot
    for units in queued:
        if free_at > sender.now + INLINE_WAIT:
            break
        slots.append(free_at)
        free_at += gap(units, sender.limit)
    return slots, free_at


def next_grant_in(
    sender: SenderState, free_at: datetime, *, has_queue: bool, first_grant: datetime | None
) -> timedelta | None:
    """Return the wait until the next grant; None if no message is queued or holds a slot."""
    shortest = timedelta(milliseconds=50)
    if has_queue:
        # Bounded, because the limit may be raised meanwhile.
        return min(max(free_at - GRANT_LEAD - sender.now, shortest), _LONGEST_PAUSE)
    if first_grant is not None:
        return max(first_grant + UNUSED_AFTER - sender.now, shortest)
    return None


def recheck_at(queued_at: datetime, now: datetime, expires_at: datetime | None) -> datetime:
    """Return when a queued message is dispatched again without a signal, which may be lost.

    The intervals grow with the time in the queue.
    """
    wait = min(max(_RECHECK, now - queued_at), _LONGEST_RECHECK)
    return now + wait if expires_at is None else min(now + wait, expires_at)
