"""The arithmetic of a lane: no second is ever too full, and who may pass whom."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.enums import Channel, MessageType
from models.rules.senders import pacing
from models.rules.senders.pacing import Lane, Place, Turn, Way, let_in, take_turn

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MARKETING, OTP = MessageType.MARKETING, MessageType.OTP

limits = st.decimals(min_value="0.001", max_value=1000, places=3)
sizes = st.integers(1, 10)


def lane(
    *, limit: str | None = "1", free_in: timedelta | None = None, crowded: bool = False
) -> Lane:
    return Lane(
        now=NOW,
        limit=None if limit is None else Decimal(limit),
        free_at=None if free_in is None else NOW + free_in,
        crowded=crowded,
    )


def place(*, granted_in: timedelta | None = None) -> Place:
    return Place(
        queued_at=NOW - SECOND, granted_at=None if granted_in is None else NOW + granted_in
    )


def booked(limit: Decimal, arrivals: list[tuple[float, int, bool]]) -> list[tuple[datetime, int]]:
    """Let messages come one after the other, by line and by passing it; return their moments."""
    now, free_at = NOW, None
    moments = []
    for after, units, is_otp in arrivals:
        now += timedelta(seconds=after)
        here = Lane(now=now, limit=limit, free_at=free_at)
        if is_otp:
            turn = take_turn(here, None, type=OTP, units=units)
            assert turn.moment is not None
            moments.append((turn.moment, units))
            free_at = turn.free_at
        else:
            given, free_at = let_in(here, [units] * 3)
            moments += [(moment, units) for moment in given]
    return moments


arrivals = st.lists(st.tuples(st.floats(0, 3), sizes, st.booleans()), max_size=40)


@given(limits, arrivals)
def test_no_second_holds_more_than_nine_tenths_of_the_limit_and_one_message(
    limit: Decimal, arrivals: list[tuple[float, int, bool]]
) -> None:
    moments = booked(limit, arrivals)
    for start, _ in moments:
        inside = [units for moment, units in moments if start <= moment < start + SECOND]
        assert sum(inside) - inside[-1] <= limit * Decimal("0.9")


@given(st.integers(1, 1000), st.lists(st.tuples(st.floats(0, 1), st.just(1), st.booleans())))
def test_messages_of_one_segment_never_exceed_a_whole_limit(
    limit: int, arrivals: list[tuple[float, int, bool]]
) -> None:
    moments = [moment for moment, _ in booked(Decimal(limit), arrivals)]
    for start in moments:
        assert sum(start <= moment < start + SECOND for moment in moments) <= limit


@given(limits, st.lists(sizes, max_size=30))
def test_nobody_is_let_in_further_ahead_than_the_near_future(
    limit: Decimal, waiting: list[int]
) -> None:
    moments, free_at = let_in(Lane(now=NOW, limit=limit, free_at=None), waiting)
    assert moments == sorted(moments)
    assert all(NOW <= moment <= NOW + pacing.NEAR for moment in moments)
    assert len(moments) <= pacing.most_to_let_in(limit)
    assert len(moments) == len(waiting) or free_at > NOW + pacing.NEAR


@given(limits, limits, sizes)
def test_a_higher_limit_never_makes_a_longer_gap(low: Decimal, high: Decimal, units: int) -> None:
    low, high = sorted((low, high))
    assert pacing.gap(units, high) <= pacing.gap(units, low)


def test_who_finds_the_lane_free_goes_at_once() -> None:
    assert take_turn(lane(), None, type=MARKETING, units=1) == Turn(
        way=Way.CALL, moment=NOW, free_at=NOW + pacing.gap(1, Decimal(1))
    )


def test_a_near_moment_is_waited_for_and_a_far_one_in_line() -> None:
    near = take_turn(lane(free_in=SECOND / 2), None, type=MARKETING, units=1)
    far = take_turn(lane(free_in=SECOND), None, type=MARKETING, units=1)
    assert (near.way, near.moment) == (Way.CALL, NOW + SECOND / 2)
    assert far == Turn(way=Way.STAND)


def test_nobody_but_an_otp_passes_a_line() -> None:
    crowd = lane(crowded=True)
    for type in MessageType:
        way = Way.CALL if type is OTP else Way.STAND
        assert take_turn(crowd, None, type=type, units=1).way is way


def test_an_otp_behind_others_keeps_its_moment_and_comes_back() -> None:
    turn = take_turn(lane(free_in=SECOND), None, type=OTP, units=1)
    assert (turn.way, turn.moment) == (Way.RETURN, NOW + SECOND)
    assert turn.free_at == NOW + SECOND + pacing.gap(1, Decimal(1))
    again = take_turn(lane(free_in=3 * SECOND), place(granted_in=SECOND), type=OTP, units=1)
    assert again == Turn(way=Way.RETURN, moment=NOW + SECOND)


def test_who_was_let_in_books_nothing_more() -> None:
    turn = take_turn(
        lane(crowded=True, free_in=9 * SECOND),
        place(granted_in=-SECOND / 20),
        type=MARKETING,
        units=1,
    )
    assert turn == Turn(way=Way.CALL, moment=NOW - SECOND / 20)


def test_who_comes_too_late_books_another_moment_and_waits_longer_for_it() -> None:
    late = place(granted_in=-SECOND / 5)
    for free_in, way in ((-SECOND, Way.CALL), (SECOND, Way.CALL), (2 * SECOND, Way.RETURN)):
        turn = take_turn(lane(crowded=True, free_in=free_in), late, type=MARKETING, units=1)
        assert (turn.way, turn.moment) == (way, max(NOW, NOW + free_in))
        assert turn.free_at is not None


def test_asking_again_in_line_changes_nothing() -> None:
    turn = take_turn(lane(), place(), type=MARKETING, units=1)
    assert turn == Turn(way=Way.STAND)


def test_a_limit_taken_away_frees_everybody() -> None:
    free = lane(limit=None, free_in=9 * SECOND, crowded=True)
    turn = take_turn(free, place(), type=MARKETING, units=7)
    assert turn == Turn(way=Way.CALL, moment=NOW, free_at=NOW)
    assert let_in(free, [1] * 5) == ([NOW] * 5, NOW)
    assert pacing.most_to_let_in(None) == pacing.MOST_AT_ONCE


def test_the_pump_looks_again_before_the_lane_is_free_and_ends_with_the_line() -> None:
    def pause(free_in: timedelta, *, crowded: bool = True, granted: datetime | None = None) -> Any:
        return pacing.next_turn(lane(), NOW + free_in, crowded=crowded, first_grant=granted)

    assert pause(SECOND) == SECOND - pacing.LEAD
    assert pause(timedelta(0)) == timedelta(milliseconds=50)
    assert pause(99 * SECOND) == 5 * SECOND
    assert pause(SECOND, crowded=False, granted=NOW - SECOND) == pacing.UNCLAIMED - SECOND
    assert pause(SECOND, crowded=False) is None


def test_who_waits_asks_ever_more_seldom_and_when_it_expires() -> None:
    for waited, wait in ((0, 60), (50, 60), (600, 600), (99999, 3600)):
        message_queued = NOW - timedelta(seconds=waited)
        assert pacing.ask_again(message_queued, NOW, None) == NOW + timedelta(seconds=wait)
    assert pacing.ask_again(NOW, NOW, NOW + SECOND) == NOW + SECOND


def test_an_sms_takes_its_segments_and_a_call_one() -> None:
    assert pacing.paced_units(Channel.SMS, 3) == 3
    assert pacing.paced_units(Channel.SMS, 0) == 1
    assert pacing.paced_units(Channel.VOICE, 5) == 1
