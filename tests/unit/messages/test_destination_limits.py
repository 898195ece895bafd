"""How long one more send to a limited destination has to wait, and which limits a send has."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.enums import Channel, DeliveryMode, MessageType
from models.rules.messages.destination_limits import (
    DestinationLimits,
    Limit,
    contact_limits,
    prefix_limits,
    prefix_of,
    seconds_to_wait,
)

NOW = datetime(2026, 4, 16, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NONE = DestinationLimits()
OFF = DestinationLimits(otps_per_10_minutes=0, otps_per_day=0, new_recipients_per_hour=0)
LIVE, SIMULATOR = DeliveryMode.LIVE, DeliveryMode.SIMULATOR
SMS, OTP = Channel.SMS, MessageType.OTP
LIMITS = st.lists(
    st.builds(
        Limit,
        most=st.integers(1, 6),
        span=st.integers(1, 500).map(lambda seconds: seconds * SECOND),
    ),
    min_size=1,
    max_size=2,
)
TIMES = st.lists(st.integers(0, 600).map(lambda seconds: NOW - seconds * SECOND), max_size=20)


def allowed(sent_at: list[datetime], limits: list[Limit], at: datetime) -> bool:
    """Say whether one more send is within every limit, as the statement does."""
    return all(sum(t > at - one.span for t in sent_at) < one.most for one in limits)


@given(TIMES, LIMITS)
def test_after_the_wait_one_more_is_allowed_and_not_a_second_before(
    sent_at: list[datetime], limits: list[Limit]
) -> None:
    wait = seconds_to_wait(sent_at, limits, NOW)
    assert wait >= 1
    assert allowed(sent_at, limits, NOW + wait * SECOND)
    if not allowed(sent_at, limits, NOW):
        assert not allowed(sent_at, limits, NOW + (wait - 1) * SECOND)


def test_the_simulator_has_limits_only_if_set_and_live_unless_they_are_off() -> None:
    assert contact_limits(NONE, SIMULATOR, SMS, OTP) == prefix_limits(NONE, SIMULATOR, SMS) == []
    assert contact_limits(OFF, LIVE, SMS, OTP) == prefix_limits(OFF, LIVE, SMS) == []
    assert contact_limits(NONE, LIVE, SMS, OTP) == [
        Limit(most=5, span=timedelta(minutes=10)),
        Limit(most=20, span=timedelta(days=1)),
    ]
    assert prefix_limits(NONE, LIVE, SMS) == [Limit(most=100, span=timedelta(hours=1))]
    three = DestinationLimits(otps_per_day=3, new_recipients_per_hour=3)
    assert contact_limits(three, SIMULATOR, Channel.VOICE, OTP) == [
        Limit(most=3, span=timedelta(days=1))
    ]
    assert prefix_limits(three, SIMULATOR, SMS) == [Limit(most=3, span=timedelta(hours=1))]


def test_mail_and_what_is_no_otp_have_no_limit_of_the_contact() -> None:
    others = set(MessageType) - {OTP}
    assert not any(contact_limits(NONE, LIVE, SMS, type) for type in others)
    assert contact_limits(NONE, LIVE, Channel.EMAIL, OTP) == []
    assert prefix_limits(NONE, LIVE, Channel.EMAIL) == []


def test_a_prefix_is_a_block_of_ten_thousand_numbers() -> None:
    assert prefix_of("+18135551234") == prefix_of("+18135559999") != prefix_of("+18135561234")
