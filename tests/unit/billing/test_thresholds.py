"""Thresholds of alerts, and the values between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import AlertSeverity, AlertType, Channel
from models.rules.alerts.thresholds import (
    CREDITS,
    EXHAUSTED,
    LOW,
    NONE,
    USAGE,
    Funds,
    ThresholdAlert,
    credit_alerts,
    credits_crossed,
    is_degraded,
    message_of,
    usage_alerts,
    usage_crossed,
)

UNITS = st.integers(0, 10_000)
AT_80, AT_100 = sorted(USAGE)


@pytest.mark.parametrize(
    ("used", "allowance", "alerts"),
    [
        (0, 10, NONE),
        (7, 10, NONE),
        (8, 10, {AT_80}),
        (9, 10, {AT_80}),
        (10, 10, USAGE),
        (3, 4, NONE),
        (4, 4, USAGE),
        (1, 1, USAGE),
        (0, 0, NONE),
        (5, 0, USAGE),
        (50, 10, USAGE),
    ],
)
def test_usage_is_warned_of_at_80_and_100_percent(
    used: int, allowance: int, alerts: frozenset[ThresholdAlert]
) -> None:
    assert usage_alerts(used, allowance) == alerts


def credit_funds(available: int, held: int, upgrade: int | None) -> Funds:
    return Funds(
        month="2026-04", allowance=0, used=0, available=available, held=held, upgrade=upgrade
    )


@pytest.mark.parametrize(
    ("available", "held", "upgrade", "alerts"),
    [
        (0, 0, None, NONE),
        (5, 0, None, NONE),
        (0, 5, None, NONE),
        (100, 0, 1000, NONE),
        (99, 0, 1000, {LOW}),
        (1, 0, 1000, {LOW}),
        (0, 0, 1000, {EXHAUSTED}),
        (1, 0, 9, NONE),
        (0, 0, 1, {EXHAUSTED}),
        (0, 100, 1000, NONE),
        (0, 99, 1000, {LOW}),
        (0, 1, 1000, {LOW}),
        (50, 50, 1000, NONE),
        (0, 5, 20, NONE),
    ],
)
def test_credits_are_low_and_exhausted_by_what_is_available_or_held(
    available: int, held: int, upgrade: int | None, alerts: frozenset[ThresholdAlert]
) -> None:
    assert credit_alerts(credit_funds(available, held, upgrade)) == alerts


@pytest.mark.parametrize(
    ("available", "held", "open", "alerts"),
    [
        (100, 0, {LOW}, {LOW}),
        (149, 0, {LOW}, {LOW}),
        (150, 0, {LOW}, NONE),
        (149, 0, NONE, NONE),
        (149, 1, {LOW}, {LOW}),
        (150, 900, {LOW}, NONE),
        (0, 1000, {LOW}, {LOW}),
        (0, 1000, NONE, NONE),
        (1, 0, {EXHAUSTED}, {LOW}),
        (120, 0, {EXHAUSTED}, NONE),
        (0, 0, {LOW}, {EXHAUSTED}),
        (0, 0, {EXHAUSTED}, {EXHAUSTED}),
    ],
)
def test_low_credits_stay_so_until_15_percent_is_available(
    available: int, held: int, open: frozenset[ThresholdAlert], alerts: frozenset[ThresholdAlert]
) -> None:
    assert credit_alerts(credit_funds(available, held, 1000), open) == alerts


@given(UNITS, UNITS, UNITS, st.sampled_from([NONE, {LOW}, {EXHAUSTED}]))
def test_a_hold_or_its_release_alone_never_raises_a_mark(
    available: int, held: int, upgrade: int, open: frozenset[ThresholdAlert]
) -> None:
    before = credit_alerts(credit_funds(available, held, upgrade), open)
    after = credit_alerts(credit_funds(available + held, 0, upgrade), before)
    assert after <= before


@given(UNITS, UNITS, UNITS)
def test_a_mark_of_usage_is_crossed_once_on_the_way(first: int, second: int, limit: int) -> None:
    at_once = usage_crossed(0, first + second, limit)
    in_steps = [usage_crossed(0, first, limit), usage_crossed(first, first + second, limit)]
    assert not in_steps[0] & in_steps[1]
    assert in_steps[0] | in_steps[1] == at_once == usage_alerts(first + second, limit)


@given(UNITS, UNITS, UNITS, st.integers(1, 10_000))
def test_a_mark_of_credits_is_crossed_once_on_the_way_down(
    rest: int, first: int, second: int, upgrade: int
) -> None:
    top, middle = rest + first + second, rest + second
    steps = [credits_crossed(top, middle, upgrade), credits_crossed(middle, rest, upgrade)]
    assert not steps[0] & steps[1]
    assert credits_crossed(top, rest, upgrade) == (steps[1] or steps[0] - steps[1])


@given(UNITS, UNITS, UNITS)
def test_a_higher_limit_never_reaches_a_mark(used: int, limit: int, more: int) -> None:
    assert usage_alerts(used, limit + more) <= usage_alerts(used, limit)


@pytest.mark.parametrize(
    ("attempts", "failed", "known", "degraded"),
    [
        (9, 9, False, False),
        (10, 5, False, True),
        (10, 4, False, False),
        (1000, 500, False, True),
        (1, 1, True, True),
        (3, 1, True, False),
        (0, 0, True, False),
        (0, 0, False, False),
    ],
)
def test_a_provider_is_degraded_while_half_of_its_attempts_fail(
    attempts: int, failed: int, known: bool, degraded: bool
) -> None:
    assert is_degraded(attempts, failed, known=known) is degraded


def test_low_credits_with_the_rest_held_are_reported_as_a_refusal() -> None:
    told = message_of(LOW, Channel.VOICE, credit_funds(0, 60, 60))
    assert told == (
        "Credits for 60 call minutes are left, 60 of them held for messages that are not settled: "
        "a send that needed more was refused."
    )


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("alert", sorted(USAGE | CREDITS))
def test_every_alert_states_its_numbers(alert: ThresholdAlert, channel: Channel) -> None:
    funds = Funds(month="2026-04", allowance=5000, used=4100, available=5, held=2, upgrade=300)
    told = message_of(alert, channel, funds)
    numbers = {
        AlertType.USAGE_THRESHOLD: (f"{alert.threshold} %", "2026-04", "4100 of 5000"),
        AlertType.LOW_CREDITS: ("for 7", "2 of them held", "10 %", "(300)"),
        AlertType.CREDITS_EXHAUSTED: ("No credits",),
    }
    assert all(number in told for number in numbers[alert.type])
    assert len(told) <= 500


def test_what_is_used_up_is_critical() -> None:
    severities = {alert: alert.severity for alert in sorted(USAGE | CREDITS)}
    critical = {
        alert for alert, severity in severities.items() if severity is AlertSeverity.CRITICAL
    }
    assert critical == {AT_100, EXHAUSTED}
