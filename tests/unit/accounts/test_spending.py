"""When a limit forbids an attempt, and how long its message waits."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from models.rules.accounts.spending import Spending, tried_again_at

NOON = datetime(2026, 4, 16, 12, tzinfo=UTC)
LATE = datetime(2026, 4, 16, 23, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 4, 17, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "expires_at", "until"),
    [
        (NOON, None, NOON + HOUR),
        (LATE, None, MIDNIGHT),
        (MIDNIGHT, None, MIDNIGHT + HOUR),
        (LATE.astimezone(timezone(timedelta(hours=-7))), None, MIDNIGHT),
        (NOON, NOON + timedelta(minutes=10), NOON + timedelta(minutes=10)),
        (NOON, NOON + 2 * HOUR, NOON + HOUR),
    ],
)
def test_a_held_back_message_is_tried_again(
    now: datetime, expires_at: datetime | None, until: datetime
) -> None:
    assert tried_again_at(now, expires_at, 0, urgent=False) == until


def test_messages_that_wait_for_the_next_day_do_not_all_wake_up_at_midnight() -> None:
    def late(message_id: int, *, urgent: bool) -> timedelta:
        return tried_again_at(LATE, None, message_id, urgent=urgent) - MIDNIGHT

    for urgent, longest in ((False, timedelta(minutes=10)), (True, timedelta(seconds=2))):
        gaps = sorted(late(message_id, urgent=urgent) for message_id in range(1000))
        assert timedelta(0) <= gaps[0] < longest / 100
        assert longest * 0.99 < gaps[-1] < longest
        assert longest * 0.4 < gaps[500] < longest * 0.6


@pytest.mark.parametrize(
    ("spent", "cost", "limit", "full"),
    [
        ("0", "1", "1", False),
        ("0", "1.000001", "1", True),
        ("0.999999", "0.000001", "1", False),
        ("1", "0.000001", "1", True),
        ("1.5", "0", "1", False),
        ("0", "0", "0", False),
        ("0", "0.000001", "0", True),
        ("99", "1", None, False),
    ],
)
def test_a_limit_is_exact_and_forbids_nothing_that_is_free(
    spent: str, cost: str, limit: str | None, full: bool
) -> None:
    day = Spending(
        spent=Decimal(spent), cost=Decimal(cost), limit=None if limit is None else Decimal(limit)
    )
    assert day.full is full


@pytest.mark.parametrize(
    ("spent", "cost", "limit", "crossed"),
    [
        ("0", "0.79", "1", ()),
        ("0", "0.8", "1", (80,)),
        ("0.79", "0.01", "1", (80,)),
        ("0.8", "0.1", "1", ()),
        ("0.8", "0.2", "1", (100,)),
        ("0", "1", "1", (80, 100)),
        ("1", "0", "1", ()),
        ("0", "5", None, ()),
        ("0", "0", "0", ()),
    ],
)
def test_each_percentage_is_crossed_once(
    spent: str, cost: str, limit: str | None, crossed: tuple[int, ...]
) -> None:
    day = Spending(
        spent=Decimal(spent), cost=Decimal(cost), limit=None if limit is None else Decimal(limit)
    )
    assert day.crossed == crossed
