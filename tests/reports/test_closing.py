"""Days are closed when they are due and nothing keeps them open."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from activities.billing.close_days import Closing, Turn
from models.enums import AttemptState, UnpricedReason
from models.queries.billing.day_closing import close_day
from models.queries.billing.usage_days import DayIsClosed, lock_day
from models.session import Database
from tests.factories import Owner, add_card, make_message, make_owner, new_message
from tests.reports.usage_fixtures import (
    Use,
    book,
    born,
    claim,
    close,
    closings,
    correct,
    day_of_use,
    delivered,
    give_up,
    settle,
    try_message,
)
from workflows.billing.close_days_types import CloseDaysStep

D0, D1, D2, D3, D4 = (date(2026, 4, day) for day in (12, 13, 14, 15, 16))
NOW = datetime(2026, 4, 16, 9, tzinfo=UTC)


@pytest.fixture
async def gym(database: Database, owner: Owner) -> Owner:
    """A tenant created on the 13th: the 12th is its first day, in case a clock is slow."""
    await born(database, owner, datetime(2026, 4, 13, 18, tzinfo=UTC))
    return owner


async def test_every_day_that_is_over_is_closed_empty_ones_as_well(
    database: Database, gym: Owner
) -> None:
    await book(database, gym, Use(day=D2))
    await book(database, gym, Use(day=D4))
    assert await close(database, gym, NOW) == (4, 0)
    assert list(await closings(database, gym)) == [D0, D1, D2, D3]


async def test_it_is_idempotent(database: Database, gym: Owner) -> None:
    await close(database, gym, NOW)
    closed = await closings(database, gym)
    assert await close(database, gym, NOW + timedelta(hours=1)) == (0, 0)
    await asyncio.gather(*(close(database, gym, NOW) for _ in range(4)))
    assert await closings(database, gym) == closed


async def test_a_day_that_was_used_before_its_tenant_was_made_is_closed_too(
    database: Database, gym: Owner
) -> None:
    long_ago = date(2025, 12, 31)
    await book(database, gym, Use(day=long_ago))
    await close(database, gym, NOW)
    assert list(await closings(database, gym)) == [long_ago, D0, D1, D2, D3]


@pytest.mark.parametrize(
    ("after_midnight", "closed"),
    [(timedelta(seconds=-1), False), (timedelta(minutes=2), False), (timedelta(minutes=5), True)],
)
async def test_a_day_rests_a_little_before_it_is_closed(
    database: Database, gym: Owner, after_midnight: timedelta, closed: bool
) -> None:
    midnight = datetime(2026, 4, 16, tzinfo=UTC)
    await close(database, gym, midnight + after_midnight)
    assert (D3 in await closings(database, gym)) is closed


@pytest.mark.parametrize(
    "state", [AttemptState.REQUESTED, AttemptState.AMBIGUOUS, AttemptState.ACCEPTED]
)
async def test_one_message_that_has_not_ended_holds_its_day_open_and_no_other(
    database: Database, gym: Owner, state: AttemptState
) -> None:
    late = datetime(2026, 4, 14, 23, 59, 59, 999_999, tzinfo=UTC)
    message = await try_message(database, gym, late, state)
    assert await close(database, gym, NOW) == (3, 1)
    assert list(await closings(database, gym)) == [D0, D1, D3]
    await book(database, gym, Use(day=D2), message)
    assert await close(database, gym, NOW) == (1, 0)
    assert list(await closings(database, gym)) == [D0, D1, D2, D3]


@pytest.mark.parametrize(
    "state", [AttemptState.REFUSED, AttemptState.NOT_PROCESSED, AttemptState.ABSENT]
)
async def test_a_message_that_waits_belongs_to_no_day_yet(
    database: Database, gym: Owner, state: AttemptState
) -> None:
    await try_message(database, gym, datetime(2026, 4, 14, 12, tzinfo=UTC), state)
    at = datetime(2026, 4, 14, 12, tzinfo=UTC)
    await make_message(database, new_message(gym, accepted_at=at, due_in=timedelta(days=9)))
    assert await close(database, gym, NOW) == (4, 0)


@pytest.mark.parametrize("gap", UnpricedReason)
async def test_a_price_that_is_not_known_holds_its_day_open(
    database: Database, gym: Owner, gap: UnpricedReason
) -> None:
    await book(database, gym, Use(day=D2, gap=gap))
    assert await close(database, gym, NOW) == (3, 1)
    assert list(await closings(database, gym)) == [D0, D1, D3]


async def test_another_tenants_messages_hold_nothing_open(database: Database, gym: Owner) -> None:
    other = await make_owner(database)
    await born(database, other, datetime(2026, 4, 13, 12, tzinfo=UTC))
    await try_message(database, other, datetime(2026, 4, 14, 12, tzinfo=UTC))
    await book(database, other, Use(day=D3, gap=UnpricedReason.RATE_MISSING))
    assert await close(database, gym, NOW) == (4, 0)
    assert await close(database, other, NOW) == (2, 2)


async def test_closing_waits_for_writers_of_the_day_and_reads_their_rows(
    database: Database, gym: Owner
) -> None:
    at = datetime(2026, 4, 14, 12, tzinfo=UTC)
    message = await try_message(database, gym, at)
    await delivered(database, gym, message, at)

    async def close_it() -> str | None:
        async with database.transaction() as db:
            return await close_day(db, tenant_id=gym.tenant_id, day=D2, now=NOW)

    async with database.transaction() as db:
        await settle(db, gym, message, NOW)
        closing = asyncio.create_task(close_it())
        await asyncio.sleep(0.3)
        assert not closing.done()
    assert await closing == "RATE_MISSING"
    assert await closings(database, gym) == {}
    assert await day_of_use(database, gym, message) == D2


async def test_a_hanging_writer_keeps_its_day_open_and_blocks_nothing(
    database: Database, gym: Owner
) -> None:
    async with database.transaction() as db:
        await lock_day(db, tenant_id=gym.tenant_id, day=D2, alone=False)
        async with asyncio.timeout(5):
            assert await close(database, gym, NOW) == (3, 1)
    assert await close(database, gym, NOW) == (1, 0)


@pytest.mark.parametrize("gap", UnpricedReason)
async def test_a_transaction_that_hangs_keeps_only_its_tenant_from_its_turn(
    database: Database, gym: Owner, gap: UnpricedReason
) -> None:
    other = await make_owner(database)
    await born(database, other, datetime(2026, 4, 15, 12, tzinfo=UTC))
    await add_card(database, gym.tenant_id, provider="simulator", valid_in_days=-400)
    message = await book(database, gym, Use(day=date(2026, 3, 1), gap=gap))
    closing = Closing(database, clock=lambda: NOW, most=2)
    async with database.transaction() as db:
        for table, id in (("message", "id"), ("usage_record", "message_id")):
            held = f"SELECT 1 FROM {table} WHERE tenant_id = :t AND {id} = :m FOR UPDATE"
            await db.execute(text(held), {"t": gym.tenant_id, "m": message})
        async with asyncio.timeout(5):
            result = await closing.close_days(CloseDaysStep(after=gym.tenant_id - 1))
    assert (result.failed, result.closed) == (1, 2)
    result = await closing.close_days(CloseDaysStep(after=gym.tenant_id - 1))
    assert (result.failed, result.held) == (0, 0)


async def test_a_claim_after_the_closing_is_posted_to_today(database: Database, gym: Owner) -> None:
    """A claim before midnight that commits after the day was closed."""
    at = datetime(2026, 4, 15, 23, 59, 59, tzinfo=UTC)
    message = await make_message(database, new_message(gym, accepted_at=at))
    async with database.transaction() as db:
        await claim(db, gym, message, at)
        await close(database, gym, NOW)
    assert D3 in await closings(database, gym)
    await delivered(database, gym, message, NOW)
    async with database.transaction() as db:
        await settle(db, gym, message, NOW)
    assert await day_of_use(database, gym, message) == D4


@pytest.mark.parametrize("end", [settle, give_up], ids=["reported", "given up"])
async def test_a_settlement_that_crosses_midnight_is_seen_by_the_closing_of_its_day(
    database: Database, gym: Owner, end: Callable[..., Awaitable[None]]
) -> None:
    """It began before midnight, is posted to that day, and commits after it."""
    eve = datetime(2026, 4, 15, 23, 59, 59, tzinfo=UTC)
    message = await try_message(database, gym, datetime(2026, 4, 14, 12, tzinfo=UTC))
    if end is settle:
        await delivered(database, gym, message, eve)
    await _closed_anyhow(database, gym, D2)

    async def close_it() -> str | None:
        async with database.transaction() as db:
            return await close_day(db, tenant_id=gym.tenant_id, day=D3, now=NOW)

    async with database.transaction() as db:
        await end(db, gym, message, eve)
        closing = asyncio.create_task(close_it())
        await asyncio.sleep(0.3)
        assert not closing.done()
    assert await closing == "RATE_MISSING"
    assert list(await closings(database, gym)) == [D2]
    assert await day_of_use(database, gym, message) == D3


async def test_a_correction_that_crosses_midnight_is_seen_by_the_closing_of_its_day(
    database: Database, gym: Owner
) -> None:
    eve = datetime(2026, 4, 15, 23, 59, 59, tzinfo=UTC)
    tried = datetime(2026, 4, 14, 12, tzinfo=UTC)
    message = await try_message(database, gym, tried, AttemptState.AMBIGUOUS)
    async with database.transaction() as db:
        await give_up(db, gym, message, tried)
    await delivered(database, gym, message, eve)
    await _closed_anyhow(database, gym, D2)

    async def close_it() -> str | None:
        async with database.transaction() as db:
            return await close_day(db, tenant_id=gym.tenant_id, day=D3, now=NOW)

    async with database.transaction() as db:
        await correct(db, gym, message, eve)
        closing = asyncio.create_task(close_it())
        await asyncio.sleep(0.3)
        assert not closing.done()
    assert await closing == "RATE_MISSING"
    assert list(await closings(database, gym)) == [D2]
    assert await day_of_use(database, gym, message) == D3


async def test_a_settlement_with_a_slow_clock_never_writes_to_a_closed_day(
    database: Database, gym: Owner
) -> None:
    """Its yesterday is closed: it fails, and succeeds once its clock has passed midnight."""
    eve = datetime(2026, 4, 15, 23, 59, 59, tzinfo=UTC)
    message = await try_message(database, gym, datetime(2026, 4, 14, 12, tzinfo=UTC))
    await delivered(database, gym, message, eve)
    await _closed_anyhow(database, gym, D2)
    await _closed_anyhow(database, gym, D3)
    with pytest.raises(DayIsClosed):
        async with database.transaction() as db:
            await settle(db, gym, message, eve)
    async with database.transaction() as db:
        await settle(db, gym, message, NOW)
    assert await day_of_use(database, gym, message) == D4


async def _closed_anyhow(database: Database, owner: Owner, day: date) -> None:
    """Close a day unconditionally: a worker's clock was slow when it claimed."""
    async with database.transaction() as db:
        await db.execute(
            text("INSERT INTO usage_closing (tenant_id, day, closed_at) VALUES (:t, :day, :now)"),
            {"t": owner.tenant_id, "day": day, "now": NOW},
        )


def wrapped(error: psycopg.Error) -> Exception:
    """Return a driver error as SQLAlchemy wraps it."""
    told = DBAPIError.instance("SELECT 1", None, error, psycopg.Error)
    assert isinstance(told, DBAPIError)
    return told


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(),
        wrapped(errors.QueryCanceled()),
        wrapped(errors.LockNotAvailable()),
        wrapped(errors.DeadlockDetected()),
        wrapped(errors.SerializationFailure()),
        wrapped(errors.TransactionTimeout()),
    ],
    ids=str,
)
async def test_a_tenant_that_fails_keeps_no_other_from_its_turn(
    database: Database, gym: Owner, error: Exception
) -> None:
    other = await make_owner(database)
    await born(database, other, datetime(2026, 4, 15, 12, tzinfo=UTC))
    closing = _FailsFor(database, clock=lambda: NOW, most=2)
    closing.unlucky, closing.error = gym.tenant_id, error
    result = await closing.close_days(CloseDaysStep(after=gym.tenant_id - 1))
    assert (result.failed, result.closed) == (1, 2)
    assert await closings(database, gym) == {}


@pytest.mark.parametrize(
    "error",
    [
        PoolTimeoutError(),
        wrapped(errors.AdminShutdown()),
        wrapped(errors.ReadOnlySqlTransaction()),
        wrapped(errors.DiskFull()),
        wrapped(psycopg.OperationalError("the server closed the connection")),
    ],
    ids=str,
)
async def test_an_infrastructure_error_ends_the_batch(
    database: Database, gym: Owner, error: Exception
) -> None:
    closing = _FailsFor(database, clock=lambda: NOW, most=1)
    closing.unlucky, closing.error = gym.tenant_id, error
    with pytest.raises(type(error)):
        await closing.close_days(CloseDaysStep(after=gym.tenant_id - 1))


class _FailsFor(Closing):
    unlucky: int
    error: Exception

    async def close_tenant(self, tenant_id: int) -> Turn:
        if tenant_id == self.unlucky:
            raise self.error
        return await super().close_tenant(tenant_id)
