"""When a delivery is tried again, and how fast a failing endpoint is sent to."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.webhooks.retry_schedule import (
    GAPS,
    MOST_ATTEMPTS,
    MOST_CONCURRENT,
    calls_for_alert,
    next_concurrency,
    next_gap,
    pause_between_attempts,
)

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def test_there_are_eight_attempts_within_a_day_and_four_hours() -> None:
    gaps = [next_gap(number, 0.5, None) for number in range(1, 9)]
    expected = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR]
    assert gaps == [*expected, None]
    assert MOST_ATTEMPTS == 8


@given(st.integers(1, 7), st.floats(0, 1))
def test_a_gap_varies_by_a_fifth(attempts: int, random: float) -> None:
    gap = next_gap(attempts, random, None)
    assert gap is not None
    assert 0.8 <= gap / GAPS[attempts - 1] <= 1.2


@pytest.mark.parametrize(
    ("attempts", "asked", "expected"),
    [
        (1, 60 * SECOND, 60 * SECOND),
        (1, SECOND, 5 * SECOND),
        (1, timedelta(0), 5 * SECOND),
        (1, 24 * HOUR, 10 * HOUR),
        (4, HOUR, 2 * HOUR),
        (7, 24 * HOUR, 10 * HOUR),
        (8, HOUR, None),
    ],
)
def test_what_the_answer_asks_for_only_lengthens_a_gap(
    attempts: int, asked: timedelta, expected: timedelta | None
) -> None:
    assert next_gap(attempts, 0.5, asked) == expected


@pytest.mark.parametrize(
    ("failures", "failing_for", "expected"),
    [
        (0, timedelta(0), None),
        (2, HOUR, None),
        (3, timedelta(0), SECOND),
        (16, 2 * SECOND, SECOND),
        (16, 40 * SECOND, 10 * SECOND),
        (3, 2 * MINUTE, 30 * SECOND),
        (100_000, 100 * HOUR, 30 * SECOND),
    ],
)
def test_the_pause_grows_with_the_time_the_endpoint_fails(
    failures: int, failing_for: timedelta, expected: timedelta | None
) -> None:
    assert pause_between_attempts(failures, failing_for) == expected


def test_concurrency_doubles_and_falls_to_one() -> None:
    grown = [1]
    for _ in range(6):
        grown.append(next_concurrency(grown[-1], failed=False))
    assert grown == [1, 2, 4, 8, 8, 8, 8]
    assert MOST_CONCURRENT == 8
    assert {next_concurrency(current, failed=True) for current in grown} == {1}


@pytest.mark.parametrize(
    ("attempts", "failures", "failing_for", "expected"),
    [
        (2, 2, HOUR, False),
        (3, 3, timedelta(0), True),
        (8, 8, timedelta(0), True),
        (1, 16, SECOND, False),
        (1, 16, 5 * MINUTE, True),
        (1, 2, 5 * MINUTE, False),
    ],
)
def test_an_alert_needs_a_third_attempt_or_many_failures_for_minutes(
    attempts: int, failures: int, failing_for: timedelta, expected: bool
) -> None:
    assert calls_for_alert(attempts, failures, failing_for) is expected
