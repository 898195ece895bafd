"""Totals of a day are deleted after 400 days; what attempts have cost stays."""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import text

from activities.system.expired_records import ExpiredSpending
from models.session import Database
from tests.spending.guarded import named
from tests.spending.test_settling import delivered, move_back, one_account, tell
from workflows.messages.types import Ending

MANY = 10_000


async def days(database: Database, account: str) -> list[int]:
    """Return how many days ago the days of an account's totals are, one for each row."""
    async with database.read() as db:
        rows = await db.execute(
            text(
                "SELECT (now() AT TIME ZONE 'UTC')::date - day AS ago FROM spending_day"
                " WHERE account = :a ORDER BY 1"
            ),
            {"a": account},
        )
        return [row.ago for row in rows]


async def add_days(database: Database, account: str, *ago: int, shards: int = 8) -> None:
    async with database.transaction() as db:
        await db.execute(
            text(
                "INSERT INTO spending_day (tenant_id, day, account, shard, reserved, booked)"
                " SELECT 0, (now() AT TIME ZONE 'UTC')::date - ago, :a, shard, 1, 1"
                "   FROM unnest(CAST(:ago AS int[])) AS ago, generate_series(0, :last) AS shard"
            ),
            {"a": account, "ago": list(ago), "last": shards - 1},
        )


async def test_days_older_than_400_days_are_deleted(database: Database) -> None:
    account, now = named(), datetime.now(UTC)
    await add_days(database, account, 0, 1, 399, 400, 401, 402, 2000, shards=1)
    await ExpiredSpending(database).delete(now, MANY)
    assert await days(database, account) == [0, 1, 399, 400]
    assert await ExpiredSpending(database).delete(now, MANY) == 0


async def test_they_are_deleted_in_batches_the_oldest_first(database: Database) -> None:
    account, now = named(), datetime.now(UTC)
    await ExpiredSpending(database).delete(now, MANY)
    await add_days(database, account, 500, 600)
    assert await ExpiredSpending(database).delete(now, 10) == 10
    assert await days(database, account) == [500] * 6
    async with database.transaction() as correction:
        locking = "SELECT 1 FROM spending_day WHERE account = :a AND shard = 3 FOR UPDATE"
        await correction.execute(text(locking), {"a": account})
        await ExpiredSpending(database).delete(now, MANY)
    assert len(await days(database, account)) <= 1


async def test_a_price_that_comes_after_its_day_was_deleted_changes_what_the_attempt_has_cost(
    database: Database,
) -> None:
    live = await one_account(database, reports_price=True)
    message_id = await delivered(live)
    await move_back(live, message_id, days=401)
    await ExpiredSpending(database).delete(datetime.now(UTC), MANY)
    assert await days(database, live.providers[0].account) == []
    assert await live.days_of_tenant() == {}
    await tell(live, message_id, price="0.05", n=2)
    await live.settle(message_id, Ending.OVER)
    cost = await live.rows("SELECT reserved, booked FROM attempt_cost WHERE tenant_id = :t")
    assert [tuple(row) for row in cost] == [(Decimal(0), Decimal("0.05"))]
    assert await live.days_of_tenant() == {}
