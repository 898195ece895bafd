"""The arithmetic of slots: no second exceeds the limit, and only an OTP overtakes the queue."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.enums import Channel, MessageType
from models.rules.senders import pacing
from models.rules.senders.pacing import (
    QueueEntry,
    SenderState,
    SlotAction,
    SlotDecision,
    decide_slot,
    grant_slots,
)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MARKETING, OTP = MessageType.MARKETING, MessageType.OTP

limits = st.decimals(min_value="0.001", max_value=1000, places=3)
sizes = st.integers(1, 10)


def sender_state(
    *, limit: str | None = "1", free_in: timedelta | None = None, has_queue: bool = False
) -> SenderState:
    return SenderState(
        now=NOW,
        limit=None if limit is None else Decimal(limit),
        free_at=None if free_in is None else NOW + free_in,
        has_queue=has_queue,
    )


def entry(*, granted_in: timedelta | None = None) -> QueueEntry:
    return QueueEntry(
        queued_at=NOW - SECOND, granted_at=None if granted_in is None else NOW + granted_in
    )


def reserved(limit: Decimal, arrivals: list[tuple[float, int, bool]]) -> list[tuple[datetime, int]]:
    """Reserve slots for OTPs and grant them to the others as they arrive; return the slots."""
    now, free_at = NOW, None
    slots = []
    for after, units, is_otp in arrivals:
        now += timedelta(seconds=after)
        sender = SenderState(now=now, limit=limit, free_at=free_at)
        if is_otp:
            decision = decide_slot(sender, None, type=OTP, units=units)
            assert decision.slot is not None
            slots.append((decision.slot, units))
            free_at = decision.free_at
        else:
            granted, free_at = grant_slots(sender, [units] * 3)
            slots += [(slot, units) for slot in granted]
    return slots


arrivals = st.lists(st.tuples(st.floats(0, 3), sizes, st.booleans()), max_size=40)


@given(limits, arrivals)
def test_no_second_holds_more_than_nine_tenths_of_the_limit_and_one_message(
    limit: Decimal, arrivals: list[tuple[float, int, bool]]
) -> None:
    slots = reserved(limit, arrivals)
    for start, _ in slots:
        inside = [units for slot, units in slots if start <= slot < start + SECOND]
        assert sum(inside) - inside[-1] <= limit * Decimal("0.9")


@given(st.integers(1, 1000), st.lists(st.tuples(st.floats(0, 1), st.just(1), st.booleans())))
def test_messages_of_one_segment_never_exceed_a_whole_limit(
    limit: int, arrivals: list[tuple[float, int, bool]]
) -> None:
    slots = [slot for slot, _ in reserved(Decimal(limit), arrivals)]
    for start in slots:
        assert sum(start <= slot < start + SECOND for slot in slots) <= limit


@given(limits, st.lists(sizes, max_size=30))
def test_no_slot_is_granted_further_ahead_than_the_inline_wait(
    limit: Decimal, queued: list[int]
) -> None:
    slots, free_at = grant_slots(SenderState(now=NOW, limit=limit, free_at=None), queued)
    assert slots == sorted(slots)
    assert all(NOW <= slot <= NOW + pacing.INLINE_WAIT for slot in slots)
    assert len(slots) <= pacing.max_grants(limit)
    assert len(slots) == len(queued) or free_at > NOW + pacing.INLINE_WAIT


@given(limits, limits, sizes)
def test_a_higher_limit_never_makes_a_longer_gap(low: Decimal, high: Decimal, units: int) -> None:
    low, high = sorted((low, high))
    assert pacing.gap(units, high) <= pacing.gap(units, low)


def test_a_free_sender_is_used_at_once() -> None:
    assert decide_slot(sender_state(), None, type=MARKETING, units=1) == SlotDecision(
        action=SlotAction.CALL, slot=NOW, free_at=NOW + pacing.gap(1, Decimal(1))
    )


def test_a_near_slot_is_reserved_and_for_a_far_one_the_message_is_queued() -> None:
    near = decide_slot(sender_state(free_in=SECOND / 2), None, type=MARKETING, units=1)
    far = decide_slot(sender_state(free_in=SECOND), None, type=MARKETING, units=1)
    assert (near.action, near.slot) == (SlotAction.CALL, NOW + SECOND / 2)
    assert far == SlotDecision(action=SlotAction.QUEUE)


def test_only_an_otp_overtakes_the_queue() -> None:
    busy = sender_state(has_queue=True)
    for type in MessageType:
        action = SlotAction.CALL if type is OTP else SlotAction.QUEUE
        assert decide_slot(busy, None, type=type, units=1).action is action


def test_an_otp_with_a_far_slot_keeps_it_and_returns() -> None:
    decision = decide_slot(sender_state(free_in=SECOND), None, type=OTP, units=1)
    assert (decision.action, decision.slot) == (SlotAction.RETURN, NOW + SECOND)
    assert decision.free_at == NOW + SECOND + pacing.gap(1, Decimal(1))
    again = decide_slot(
        sender_state(free_in=3 * SECOND), entry(granted_in=SECOND), type=OTP, units=1
    )
    assert again == SlotDecision(action=SlotAction.RETURN, slot=NOW + SECOND)


def test_a_granted_slot_reserves_nothing_more() -> None:
    decision = decide_slot(
        sender_state(has_queue=True, free_in=9 * SECOND),
        entry(granted_in=-SECOND / 20),
        type=MARKETING,
        units=1,
    )
    assert decision == SlotDecision(action=SlotAction.CALL, slot=NOW - SECOND / 20)


def test_a_missed_slot_is_replaced_and_waited_for_longer() -> None:
    late = entry(granted_in=-SECOND / 5)
    for free_in, action in (
        (-SECOND, SlotAction.CALL),
        (SECOND, SlotAction.CALL),
        (2 * SECOND, SlotAction.RETURN),
    ):
        decision = decide_slot(
            sender_state(has_queue=True, free_in=free_in), late, type=MARKETING, units=1
        )
        assert (decision.action, decision.slot) == (action, max(NOW, NOW + free_in))
        assert decision.free_at is not None


def test_asking_again_while_queued_changes_nothing() -> None:
    decision = decide_slot(sender_state(), entry(), type=MARKETING, units=1)
    assert decision == SlotDecision(action=SlotAction.QUEUE)


def test_without_a_limit_every_slot_is_now() -> None:
    free = sender_state(limit=None, free_in=9 * SECOND, has_queue=True)
    decision = decide_slot(free, entry(), type=MARKETING, units=7)
    assert decision == SlotDecision(action=SlotAction.CALL, slot=NOW, free_at=NOW)
    assert grant_slots(free, [1] * 5) == ([NOW] * 5, NOW)
    assert pacing.max_grants(None) == pacing.MAX_GRANTS


def test_slots_are_granted_again_before_the_sender_is_free_and_until_the_queue_is_empty() -> None:
    def pause(
        free_in: timedelta, *, has_queue: bool = True, granted: datetime | None = None
    ) -> Any:
        return pacing.next_grant_in(
            sender_state(), NOW + free_in, has_queue=has_queue, first_grant=granted
        )

    assert pause(SECOND) == SECOND - pacing.GRANT_LEAD
    assert pause(timedelta(0)) == timedelta(milliseconds=50)
    assert pause(99 * SECOND) == 5 * SECOND
    assert pause(SECOND, has_queue=False, granted=NOW - SECOND) == pacing.UNUSED_AFTER - SECOND
    assert pause(SECOND, has_queue=False) is None


def test_the_recheck_intervals_grow_up_to_expiry() -> None:
    for waited, wait in ((0, 60), (50, 60), (600, 600), (99999, 3600)):
        message_queued = NOW - timedelta(seconds=waited)
        assert pacing.recheck_at(message_queued, NOW, None) == NOW + timedelta(seconds=wait)
    assert pacing.recheck_at(NOW, NOW, NOW + SECOND) == NOW + SECOND


def test_an_sms_takes_its_segments_and_a_call_one() -> None:
    assert pacing.paced_units(Channel.SMS, 3) == 3
    assert pacing.paced_units(Channel.SMS, 0) == 1
    assert pacing.paced_units(Channel.VOICE, 5) == 1
