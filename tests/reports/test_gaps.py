"""Records without a price are found by kind, without reading records of other kinds or days."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.enums import UnpricedReason
from models.queries.billing import repricing, usage
from models.queries.tenants.visibility import CallerScope
from models.session import Database
from tests.factories import Owner, add_card
from tests.reports.usage_fixtures import Use, book

FIRST, LAST = date(2026, 4, 1), date(2026, 4, 30)
NOW = datetime(2026, 5, 2, 9, tzinfo=UTC)
HEAP = 4000

_HEAP = """
    INSERT INTO usage_record (tenant_id, message_id, merchant_id, channel, provider, day, units,
                              state, country, gap, recorded_at)
    SELECT :t, 1000000000 + n, :m, 'SMS', 'twilio', date '2026-04-01' + n % 29, 1, 'PROVISIONAL',
           'US', :gap, now()
      FROM generate_series(1, :heap) AS n
"""


async def heap(database: Database, owner: Owner, gap: UnpricedReason, merchant_id: int) -> None:
    """Insert many records without a price, without their messages."""
    async with database.transaction() as db:
        await db.execute(text("SET LOCAL session_replication_role = replica"))
        facts = {"t": owner.tenant_id, "m": merchant_id, "gap": gap, "heap": HEAP}
        await db.execute(text(_HEAP), facts)


async def read_for(database: Database, statement: str, **values: Any) -> int:
    """Return how many index entries and rows of usage records a statement reads."""
    async with database.transaction() as db:
        # Otherwise the plan would depend on other tests' rows.
        await db.execute(text("ANALYZE usage_record, rate"))
        for off in ("seqscan", "bitmapscan"):  # a table of a test is too small for an index
            await db.execute(text(f"SET LOCAL enable_{off} = off"))
        explain = text(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}")
        return _read((await db.scalar(explain, values))[0]["Plan"])


def _read(plan: dict[str, Any]) -> int:
    own = 0
    if plan.get("Relation Name") == "usage_record":
        skipped = plan.get("Rows Removed by Filter", 0)
        own = round((plan["Actual Rows"] + skipped) * plan["Actual Loops"])
    return own + sum(_read(part) for part in plan.get("Plans", ()))


@pytest.mark.parametrize("one", [False, True])
@pytest.mark.parametrize("gap", UnpricedReason)
async def test_a_report_does_not_read_every_record_that_waits_for_a_price(
    database: Database, owner: Owner, gap: UnpricedReason, one: bool
) -> None:
    await heap(database, owner, gap, owner.merchant_id + 1)
    await book(database, owner, Use(day=LAST, provider="late", gap=UnpricedReason.RATE_MISSING))
    facts = {"tenant_id": owner.tenant_id, "merchant_id": owner.merchant_id}
    days = {"first": FIRST, "last": LAST, "today": NOW.date()}
    if not one:
        del facts["merchant_id"]
    assert await read_for(database, usage.TOTALS[one].text, **facts, **days) < 100


async def test_a_report_names_every_kind_that_lacks_a_rate_however_many_records_lack_one(
    database: Database, owner: Owner
) -> None:
    await heap(database, owner, UnpricedReason.RATE_MISSING, owner.merchant_id)
    await book(database, owner, Use(day=LAST, country="", gap=UnpricedReason.RATE_MISSING))
    await book(
        database, owner, Use(day=date(2026, 3, 1), country="DE", gap=UnpricedReason.RATE_MISSING)
    )
    for merchant_id in (None, owner.merchant_id):
        async with database.read() as db:
            totals = await usage.total(
                db,
                CallerScope(tenant_id=owner.tenant_id, merchant_id=merchant_id),
                first=FIRST,
                last=LAST,
                today=NOW.date(),
            )
        assert totals.open_days is not None
        named = [(one.provider, one.country) for one in totals.open_days.unpriced]
        assert named == [("simulator", ""), ("twilio", "US")]


async def test_pricing_passes_over_what_no_card_covers_and_prices_the_oldest_days_first(
    database: Database, owner: Owner
) -> None:
    await heap(database, owner, UnpricedReason.RATE_MISSING, owner.merchant_id)
    await add_card(database, owner.tenant_id)
    lacking = Use(day=FIRST, gap=UnpricedReason.RATE_MISSING)
    old, new = [
        await book(database, owner, Use(day=day, gap=lacking.gap))
        for day in (FIRST, FIRST + timedelta(days=40))
    ]
    statement = repricing.MISSING.text
    facts = {"tenant_id": owner.tenant_id, "now": NOW, "most": 500}
    assert await read_for(database, statement, **facts) < 100
    async with database.transaction() as db:
        found = await db.scalars(text(statement), {**facts, "most": 1})
        assert found.all() == [old]
    async with database.transaction() as db:
        done = await repricing.price_what_is_missing(db, tenant_id=owner.tenant_id, now=NOW)
    assert done == len([old, new])
