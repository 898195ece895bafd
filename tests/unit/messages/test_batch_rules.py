"""Funds, chunks and destinations of the lines of a batch."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import MessageType
from models.rules.messages.batches.acceptance import chunks_of
from models.rules.messages.batches.funds import Funds, Hold
from models.rules.messages.destination_limits import Limit, SendTimes, seconds_to_wait

NOW = datetime(2026, 4, 16, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_allowance_is_used_first_then_credits() -> None:
    funds = Funds(allowance=3, credits=2)
    assert funds.quote(4) == Hold(allowance=3, credits=1, balance=1)
    assert funds.quote(6) is None
    assert funds.available(6) == 5
    assert funds.available(2) == 4  # as a single send says it
    funds.take(Hold(allowance=3, credits=1, balance=1))
    assert funds.quote(2) is None
    assert funds.quote(1) == Hold(allowance=0, credits=1, balance=0)


def test_without_an_account_nothing_is_funded() -> None:
    funds = Funds(allowance=3, credits=0, open=False)
    assert funds.quote(1) is None
    assert funds.available(1) == 0


@given(st.integers(0, 20), st.integers(0, 20), st.lists(st.integers(1, 6), max_size=20))
def test_no_order_of_holds_exceeds_the_funds(
    allowance: int, credits: int, wanted: list[int]
) -> None:
    funds = Funds(allowance=allowance, credits=credits)
    for units in wanted:
        hold = funds.quote(units)
        if hold is not None:
            assert hold.allowance + hold.credits == units
            assert hold.credits == 0 or funds.allowance == hold.allowance
            funds.take(hold)
            assert hold.balance == funds.credits
        else:
            assert units > funds.allowance + funds.credits
    assert (funds.drawn, funds.credited) == (allowance - funds.allowance, credits - funds.credits)
    assert min(funds.allowance, funds.credits) >= 0


@pytest.mark.parametrize(
    ("due", "size", "in_chunk"),
    [(NOW, 1, True), (NOW - HOUR, 1, True), (NOW + HOUR, 4, False), (NOW + HOUR, 5, True)],
)
def test_few_messages_that_are_due_later_have_no_chunk(
    due: datetime, size: int, in_chunk: bool
) -> None:
    group = (MessageType.REMINDER, due)
    assert chunks_of([group] * size, NOW) == ({group: size} if in_chunk else {})


def test_a_chunk_has_one_type_and_one_time() -> None:
    groups = [(MessageType.OTP, NOW), (MessageType.REMINDER, NOW), (MessageType.OTP, NOW)]
    assert chunks_of(groups, NOW) == {groups[0]: 2, groups[1]: 1}


LIMITS = st.lists(
    st.builds(Limit, most=st.integers(1, 4), span=st.integers(1, 300).map(lambda s: s * HOUR)),
    min_size=1,
    max_size=2,
)


@given(LIMITS, st.lists(st.integers(0, 400), max_size=30))
def test_sends_are_counted_up_to_every_limit(limits: list[Limit], gaps: list[int]) -> None:
    times, now = SendTimes(sent_at=(), expires_at=NOW), NOW
    sent: list[datetime] = []
    for gap in gaps:
        now += gap * HOUR / 10
        fits = all(sum(at > now - one.span for at in sent) < one.most for one in limits)
        wait = times.wait(limits, now)
        assert wait == (0 if fits else seconds_to_wait(sent, limits, now))
        if fits:
            times.count(limits, now)
            sent.append(now)
            longest = max(limit.span for limit in limits)
            assert times.expires_at == now + longest
            assert list(times.sent_at) == [at for at in sent if at > now - longest]
