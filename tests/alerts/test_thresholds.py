"""A crossed threshold raises one alert, however many sends cross it concurrently."""

import asyncio
from datetime import UTC, datetime, timedelta

from models.queries.alerts.threshold_alerts import limits_changed
from models.session import Database
from tests.alerts.fixtures import MerchantFixture

AT_80 = ("USAGE_THRESHOLD", 80, 1)
AT_100 = ("USAGE_THRESHOLD", 100, 1)
LOW = ("LOW_CREDITS", 10, 1)
EXHAUSTED = ("CREDITS_EXHAUSTED", 0, 1)


async def test_usage_is_warned_of_when_units_are_captured_not_when_they_are_held(
    database: Database,
) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=10)
    await merchant_fixture.use(7)
    held = await merchant_fixture.accept(3)
    assert held is not None
    assert await merchant_fixture.open() == []
    await merchant_fixture.end(held, 1)
    assert await merchant_fixture.open() == [AT_80]
    await merchant_fixture.use(2)
    assert await merchant_fixture.open() == [AT_80, AT_100]


async def test_fifty_that_cross_a_mark_together_raise_it_once(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=50)
    messages = [await merchant_fixture.accept() for _ in range(50)]
    await asyncio.gather(*(merchant_fixture.end(message, 1) for message in messages if message))
    assert await merchant_fixture.open() == [AT_80, AT_100]
    assert await merchant_fixture.resolved() == []
    (at_80, at_100) = await merchant_fixture.alerts()
    assert at_80.message == (
        f"80 % of the allowance of {merchant_fixture.now:%Y-%m} is used: 40 of 50 SMS segments."
    )
    assert "50 of 50" in at_100.message


async def test_ending_a_message_twice_warns_once(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=1)
    message = await merchant_fixture.accept()
    assert message is not None
    await merchant_fixture.end(message, 1)
    await merchant_fixture.end(message, 1)
    assert await merchant_fixture.open() == [AT_80, AT_100]


async def test_fifty_that_capture_the_last_credits_together_raise_each_warning_once(
    database: Database,
) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=5)
    await merchant_fixture.buy(40)
    outcomes = await asyncio.gather(*(merchant_fixture.accept() for _ in range(50)))
    messages = [outcome for outcome in outcomes if outcome is not None]
    assert len(messages) == 45
    assert await merchant_fixture.open() == []
    await asyncio.gather(*(merchant_fixture.end(message, 1) for message in messages))
    warned = [alert for alert in await merchant_fixture.open() if alert[0] != "USAGE_THRESHOLD"]
    assert warned == [EXHAUSTED]
    assert await merchant_fixture.resolved() == [LOW]
    low = next(a for a in await merchant_fixture.alerts() if a.type == "LOW_CREDITS")
    assert "less than 10 % of the last upgrade (40)" in low.message


async def test_credits_are_low_against_the_last_upgrade_alone(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=0)
    await merchant_fixture.buy(1000)
    await merchant_fixture.use(950)
    assert await merchant_fixture.open() == [LOW]
    await merchant_fixture.buy(20)
    assert await merchant_fixture.open() == []
    assert await merchant_fixture.resolved() == [LOW]
    await merchant_fixture.use(68)
    assert await merchant_fixture.open() == []
    await merchant_fixture.use(1)
    assert await merchant_fixture.open() == [LOW]


async def test_calls_that_only_hold_their_minutes_warn_of_nothing(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=0)
    await merchant_fixture.buy(20)
    for _ in range(4):
        calls = [await merchant_fixture.accept(5) for _ in range(4)]
        for call in calls:
            assert call is not None
            await merchant_fixture.end(call, 0)
    assert await merchant_fixture.alerts() == []


async def test_credits_that_are_all_held_are_not_exhausted(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=0)
    await merchant_fixture.buy(20)
    call = await merchant_fixture.accept(20)
    assert call is not None
    assert not await merchant_fixture.watch()
    await merchant_fixture.end(call, 15)
    assert await merchant_fixture.open() == []


async def test_exhausted_credits_close_the_warning_of_low_ones(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=0)
    await merchant_fixture.buy(20)
    await merchant_fixture.use(19)
    assert await merchant_fixture.open() == [LOW]
    await merchant_fixture.use(1)
    assert await merchant_fixture.open() == [EXHAUSTED]
    assert await merchant_fixture.resolved() == [LOW]
    await merchant_fixture.buy(20)
    assert await merchant_fixture.open() == []


async def test_low_credits_stay_warned_of_below_15_percent(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=0)
    await merchant_fixture.buy(100)
    await merchant_fixture.use(91)
    await merchant_fixture.add(5)
    assert not await merchant_fixture.watch()
    assert await merchant_fixture.open() == [LOW]
    await merchant_fixture.add(1)
    assert await merchant_fixture.watch()
    assert await merchant_fixture.open() == []
    assert await merchant_fixture.resolved() == [LOW]


async def test_a_send_refused_while_the_rest_is_held_warns_of_low_credits(
    database: Database,
) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=0)
    await merchant_fixture.buy(20)
    call = await merchant_fixture.accept(18)
    assert call is not None
    await merchant_fixture.refuse(5)
    assert await merchant_fixture.open() == [LOW]
    await merchant_fixture.refuse(5)
    assert await merchant_fixture.open() == [LOW]
    merchant_fixture.now += timedelta(minutes=1)
    await merchant_fixture.refuse(5)
    assert await merchant_fixture.open() == [("LOW_CREDITS", 10, 2)]
    assert not await merchant_fixture.watch()
    await merchant_fixture.end(call, 2)
    assert await merchant_fixture.watch()
    assert await merchant_fixture.open() == []


async def test_a_large_send_refused_beside_a_small_hold_warns_of_nothing(
    database: Database,
) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=0)
    await merchant_fixture.buy(100)
    assert await merchant_fixture.accept(1) is not None
    for _ in range(3):
        await merchant_fixture.refuse(100)
        await merchant_fixture.watch()
        merchant_fixture.now += timedelta(seconds=10)
    assert await merchant_fixture.alerts() == []


async def test_a_refused_send_warns_of_nothing_while_no_credits_are_held(
    database: Database,
) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=0)
    await merchant_fixture.refuse(5)
    await merchant_fixture.buy(20)
    await merchant_fixture.refuse(21)
    assert await merchant_fixture.alerts() == []


async def test_a_merchant_that_never_bought_credits_is_not_warned_of_them(
    database: Database,
) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=2)
    assert await merchant_fixture.accept(2) is not None
    assert await merchant_fixture.accept() is None
    assert await merchant_fixture.open() == []


async def test_a_higher_limit_resolves_and_a_lower_one_raises(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=10)
    await merchant_fixture.use(9)
    assert await merchant_fixture.open() == [AT_80]
    await merchant_fixture.limit(11)
    assert await merchant_fixture.open() == [AT_80]
    await merchant_fixture.limit(12)
    assert await merchant_fixture.open() == []
    await merchant_fixture.limit(9)
    assert await merchant_fixture.open() == [AT_80, AT_100]
    assert await merchant_fixture.resolved() == [AT_80]


async def test_a_new_month_begins_without_the_warnings_of_the_old_one(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(
        database, limit=10, now=datetime(2026, 4, 30, 23, 59, tzinfo=UTC)
    )
    await merchant_fixture.use(10)
    late = await merchant_fixture.accept(0)
    merchant_fixture.now += timedelta(minutes=2)
    assert late is not None
    await merchant_fixture.end(late, 0)
    assert await merchant_fixture.open() == [AT_80, AT_100]
    await merchant_fixture.use(8)
    assert await merchant_fixture.open() == [AT_80]
    assert await merchant_fixture.resolved() == [AT_80, AT_100]
    assert [
        alert.created_at for alert in await merchant_fixture.alerts() if not alert.resolved_at
    ] == [merchant_fixture.now]


async def test_an_end_after_the_month_raises_no_alert(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(
        database, limit=10, now=datetime(2026, 4, 30, 23, 59, tzinfo=UTC)
    )
    message = await merchant_fixture.accept(10)
    merchant_fixture.now += timedelta(minutes=2)
    assert message is not None
    await merchant_fixture.end(message, 10)
    assert await merchant_fixture.alerts() == []


async def test_a_raised_limit_and_captures_at_once_leave_no_warning_that_is_untrue(
    database: Database,
) -> None:
    """The captures read the old limit; the threshold they cross is evaluated again."""
    for _ in range(5):
        merchant_fixture = await MerchantFixture.open_up(database, limit=10)
        messages = [await merchant_fixture.accept() for _ in range(9)]
        await asyncio.gather(
            merchant_fixture.limit(1000),
            *(merchant_fixture.end(message, 1) for message in messages if message),
        )
        assert await merchant_fixture.open() == []


async def test_moves_of_one_merchant_at_once_never_lock_each_other_out(
    database: Database,
) -> None:
    """A deadlock would raise in one of these."""
    merchant_fixture = await MerchantFixture.open_up(database, limit=20)
    await merchant_fixture.buy(20)

    async def live(units: int) -> None:
        for turn in range(6):
            message = await merchant_fixture.accept(units)
            if message is not None:
                await merchant_fixture.end(message, turn % (units + 1))

    async def change() -> None:
        for turn in range(6):
            await merchant_fixture.limit(20 + turn % 3)
            await merchant_fixture.buy(5)
            await merchant_fixture.watch()

    await asyncio.gather(*(live(units) for units in (1, 2, 3, 4)), change(), change())
    await merchant_fixture.watch()
    assert not await merchant_fixture.watch()


async def test_limits_of_an_unknown_merchant_change_nothing(database: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(database, limit=1)
    async with database.transaction() as db:
        await limits_changed(
            db, tenant_id=merchant_fixture.owner.tenant_id, merchant_id=0, now=merchant_fixture.now
        )
    assert await merchant_fixture.alerts() == []
