"""Prices: posted when the message ends; later prices are posted to the right day."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from models.enums import MessageStatus, PriceSource, ReportStatus, UnpricedReason, UsageState
from models.queries.billing.repricing import accept_card_prices, price_what_is_missing
from models.queries.billing.usage_days import DayIsClosed, lock_day
from models.queries.messages.receipts import StoredReceipt
from models.session import Database
from models.tables.usage import UsageClosing
from tests.activities.doubles import AMBIGUOUS, Scripted
from tests.activities.harness import Harness
from tests.factories import Owner, add_card, make_owner
from workflows.messages.types import Ending

R, S = ReportStatus, MessageStatus
ZERO = Decimal(0)
CARD = {"unit_cost": "0.01", "carrier_fee": "0.004", "basis_points": 2000, "flat": "0.001"}
"""Three units: 0.03 and 0.012, markup 0.0084 + 0.003."""
BY_CARD = (Decimal("0.03"), Decimal("0.012"), Decimal("0.0114"))
BY_VENDOR = (Decimal("0.02"), Decimal("0.012"), Decimal("0.0094"))


class Books(Harness):
    """A harness with queries of posted amounts."""

    async def taken(self, *, days_ago: int = 0, **wanted: Any) -> int:
        """Accept a message of three units and send it, so many days ago."""
        message_id = await self.accept(units=3, **wanted)
        await self.dispatch(message_id)
        await self.write(
            "UPDATE attempt SET requested_at = requested_at - CAST(:ago AS interval)"
            " WHERE tenant_id = :t AND message_id = :m",
            m=message_id,
            ago=timedelta(days=days_ago),
        )
        return message_id

    async def ended(self, *, price: str | None = None, days_ago: int = 0) -> int:
        message_id = await self.taken(days_ago=days_ago)
        await self.tell(message_id, R.DELIVERED, event_id=f"e{message_id}", price=price)
        assert (await self.settle(message_id, Ending.REPORTED))[0] is S.DELIVERED
        return message_id

    async def record(self, message_id: int) -> Any:
        (row,) = await self.rows(
            "SELECT * FROM usage_record WHERE tenant_id = :t AND message_id = :m", message_id
        )
        return row

    async def booked(self, message_id: int) -> tuple[Any, ...]:
        """Return state, gap, source, and the amounts of a record."""
        r = await self.record(message_id)
        return (r.state, r.gap, r.priced_by, (r.cost, r.carrier_fee, r.markup))

    async def days(self) -> dict[date, tuple[Any, ...]]:
        """Return messages, AWS cost, other cost, carrier fees and markup of every day."""
        rows = await self.rows("SELECT * FROM usage_day WHERE tenant_id = :t")
        return {
            r.day: (r.messages, r.aws_cost, r.provider_cost, r.carrier_fees, r.markup) for r in rows
        }

    async def posted(self) -> list[tuple[Any, ...]]:
        rows = await self.rows("SELECT * FROM usage_correction WHERE tenant_id = :t ORDER BY id")
        return [(r.day, r.cost, r.carrier_fee, r.markup) for r in rows]

    async def close(self, day: date) -> None:
        async with self.database.transaction() as db:
            await lock_day(db, tenant_id=self.owner.tenant_id, day=day, alone=True)
            db.add(
                UsageClosing(tenant_id=self.owner.tenant_id, day=day, closed_at=datetime.now(UTC))
            )

    async def price_all(self) -> int:
        async with self.database.transaction() as db:
            return await price_what_is_missing(
                db, tenant_id=self.owner.tenant_id, now=datetime.now(UTC)
            )

    async def write(self, sql: str, **values: Any) -> None:
        async with self.database.transaction() as db:
            await db.execute(text(sql), {"t": self.owner.tenant_id, **values})


@pytest.fixture
def books(database: Database, owner: Owner) -> Books:
    return Books(database, owner, Scripted())


@pytest.fixture
def telling(database: Database, owner: Owner) -> Books:
    """The same with a provider that reports its prices."""
    return Books(database, owner, Scripted(reports_price=True))


def today() -> date:
    return datetime.now(UTC).date()


async def carded(books: Books, **wanted: Any) -> None:
    await add_card(books.database, books.owner.tenant_id, provider="one", **{**CARD, **wanted})


async def test_a_message_costs_what_the_card_says(books: Books) -> None:
    await carded(books)
    message_id = await books.ended()
    assert await books.booked(message_id) == (UsageState.FINAL, None, PriceSource.CARD, BY_CARD)
    assert (await books.record(message_id)).country == "US"
    assert await books.days() == {
        today(): (1, ZERO, Decimal("0.042"), Decimal("0.012"), Decimal("0.0114"))
    }


async def test_the_cost_of_aws_is_separate(database: Database, owner: Owner) -> None:
    books = Books(database, owner, Scripted(name="ses"))
    await add_card(database, owner.tenant_id, provider="ses", **CARD)  # type: ignore[arg-type]
    message_id = await books.taken()
    await books.tell(message_id, R.DELIVERED, provider="ses")
    await books.settle(message_id, Ending.REPORTED)
    ((_, aws, others, fees, _markup),) = (await books.days()).values()
    assert (aws, others, fees) == (Decimal("0.042"), ZERO, Decimal("0.012"))


async def test_the_card_in_force_at_acceptance_counts_and_the_closest(books: Books) -> None:
    await carded(books, country="US", valid_in_days=-5)
    await carded(books, unit_cost="7", valid_in_days=-4)
    await carded(books, unit_cost="8", country="US", valid_in_days=-1)
    await carded(books, unit_cost="9", country="US", valid_in_days=1)
    message_id = await books.accept(units=3, accepted_at=datetime.now(UTC) - timedelta(days=2))
    await books.dispatch(message_id)
    await books.tell(message_id, R.DELIVERED)
    await books.settle(message_id, Ending.REPORTED)
    assert (await books.booked(message_id))[3] == BY_CARD


async def test_without_a_card_it_is_sent_and_its_record_says_what_is_missing(books: Books) -> None:
    message_id = await books.ended()
    missing = (UsageState.PROVISIONAL, UnpricedReason.RATE_MISSING, PriceSource.CARD, (ZERO,) * 3)
    assert await books.booked(message_id) == missing
    assert await books.price_all() == 0
    assert await books.booked(message_id) == missing


async def test_a_card_that_comes_later_prices_what_had_none(books: Books) -> None:
    ids = [await books.ended() for _ in range(2)]
    await carded(books, valid_in_days=0)
    assert (await books.price_all(), await books.price_all()) == (2, 0)
    for message_id in ids:
        assert await books.booked(message_id) == (UsageState.FINAL, None, PriceSource.CARD, BY_CARD)
    assert await books.days() == {
        today(): (2, ZERO, Decimal("0.084"), Decimal("0.024"), Decimal("0.0228"))
    }
    assert await books.posted() == []


async def test_pricing_by_many_at_once_is_pricing_once(books: Books) -> None:
    for _ in range(3):
        await books.ended()
    await carded(books, valid_in_days=0)
    assert sum(await asyncio.gather(*(books.price_all() for _ in range(5)))) == 3
    ((_, _aws, cost, _fees, _markup),) = (await books.days()).values()
    assert cost == Decimal("0.126")


async def test_another_tenants_messages_are_not_priced_by_it(
    books: Books, database: Database
) -> None:
    message_id = await books.ended()
    other = await make_owner(database)
    await add_card(database, other.tenant_id, provider="one")
    assert await books.price_all() == 0
    assert (await books.record(message_id)).gap == UnpricedReason.RATE_MISSING


async def test_a_reported_price_replaces_the_unit_cost(telling: Books) -> None:
    """The carrier fee stays the card's; the markup is computed on the posted cost."""
    await carded(telling)
    message_id = await telling.ended(price="0.02")
    vendor = (UsageState.FINAL, None, PriceSource.VENDOR, BY_VENDOR)
    assert await telling.booked(message_id) == vendor


async def test_until_a_price_is_reported_the_cards_figure_is_used(telling: Books) -> None:
    await carded(telling)
    message_id = await telling.ended()
    waiting = (UsageState.PROVISIONAL, UnpricedReason.VENDOR_PRICE, PriceSource.VENDOR, BY_CARD)
    assert await telling.booked(message_id) == waiting
    for _ in range(2):
        await telling.tell(message_id, R.SENT, event_id="priced", price="0.02")
        await telling.settle(message_id, Ending.REPORTED)
    vendor = (UsageState.FINAL, None, PriceSource.VENDOR, BY_VENDOR)
    assert await telling.booked(message_id) == vendor
    assert await telling.days() == {
        today(): (1, ZERO, Decimal("0.032"), Decimal("0.012"), Decimal("0.0094"))
    }
    assert (await telling.posted(), await telling.open_receipts(message_id)) == ([], 0)


async def test_a_repeated_report_with_a_price_is_processed_again(telling: Books) -> None:
    await carded(telling)
    message_id = await telling.ended()
    for price in ("0.02", "0.02", "5", None):  # only its first price has an effect
        event_id = f"e{message_id}"
        stored = await telling.tell(message_id, R.DELIVERED, event_id=event_id, price=price)
        assert isinstance(stored, StoredReceipt)
        assert not stored.fresh
        await telling.settle(message_id, Ending.REPORTED)
    assert (await telling.booked(message_id))[3] == BY_VENDOR


async def test_a_card_and_a_price_may_come_in_any_order(telling: Books) -> None:
    first, second = await telling.ended(), await telling.ended(price="0.02")
    missing = (UsageState.PROVISIONAL, UnpricedReason.RATE_MISSING, PriceSource.VENDOR)
    assert (await telling.booked(first))[:3] == (await telling.booked(second))[:3] == missing
    await carded(telling, valid_in_days=0)
    assert await telling.price_all() == 2
    waiting = (UsageState.PROVISIONAL, UnpricedReason.VENDOR_PRICE, PriceSource.VENDOR, BY_CARD)
    assert await telling.booked(first) == waiting
    vendor = (UsageState.FINAL, None, PriceSource.VENDOR, BY_VENDOR)
    assert await telling.booked(second) == vendor
    await telling.tell(first, R.SENT, event_id="priced", price="0.02")
    await telling.settle(first, Ending.REPORTED)
    assert await telling.booked(first) == vendor


async def test_after_its_days_the_cards_figure_holds(telling: Books) -> None:
    await carded(telling)
    old, new = await telling.ended(days_ago=8), await telling.ended()
    tenant = telling.owner.tenant_id
    limit = today() - timedelta(days=7)
    for done in (1, 0):
        async with telling.database.transaction() as db:
            assert await accept_card_prices(db, tenant_id=tenant, older_than=limit) == done
    assert await telling.booked(old) == (UsageState.FINAL, None, PriceSource.CARD, BY_CARD)
    assert (await telling.booked(new))[1] == UnpricedReason.VENDOR_PRICE


async def test_what_is_final_never_changes_and_the_difference_is_posted_today(
    telling: Books,
) -> None:
    """The price arrives after the card's figure became final, with the day closed or open."""
    await carded(telling)
    message_id = await telling.ended(days_ago=8)
    day = today() - timedelta(days=8)
    async with telling.database.transaction() as db:
        await accept_card_prices(db, tenant_id=telling.owner.tenant_id, older_than=today())
    await telling.close(day)
    before = (await telling.booked(message_id), (await telling.days())[day])
    for event, price in (("late", "0.02"), ("late", "0.02"), ("later", "0.05")):
        await telling.tell(message_id, R.SENT, event_id=event, price=price)
        await telling.settle(message_id, Ending.REPORTED)
    assert (await telling.booked(message_id), (await telling.days())[day]) == before
    assert await telling.posted() == [
        (today(), Decimal("-0.01"), ZERO, Decimal("-0.002")),
        (today(), Decimal("0.03"), ZERO, Decimal("0.006")),
    ]
    assert (await telling.days())[today()] == (0, ZERO, Decimal("0.02"), ZERO, Decimal("0.004"))


async def test_what_is_provisional_of_a_closed_day_is_posted_today(books: Books) -> None:
    message_id = await books.ended(days_ago=2)
    day = today() - timedelta(days=2)
    await books.close(day)
    await carded(books, valid_in_days=0)
    assert await books.price_all() == 1
    closed = await books.booked(message_id)
    assert closed == (UsageState.FINAL, None, PriceSource.CARD, (ZERO,) * 3)
    assert await books.posted() == [(today(), *BY_CARD)]
    assert (await books.days())[day] == (1, ZERO, ZERO, ZERO, ZERO)


async def test_a_message_belongs_to_the_day_of_its_attempt_unless_that_is_closed(
    books: Books,
) -> None:
    await carded(books)
    early = await books.ended(days_ago=1)
    await books.close(today() - timedelta(days=1))
    late = await books.ended(days_ago=1)
    assert (await books.record(early)).day == today() - timedelta(days=1)
    assert (await books.record(late)).day == today()
    assert {day: row[0] for day, row in (await books.days()).items()} == {
        today(): 1,
        today() - timedelta(days=1): 1,
    }


async def test_a_settlement_keeps_the_day_open_and_the_closing_waits(books: Books) -> None:
    await carded(books)
    message_id = await books.taken(days_ago=1)
    await books.tell(message_id, R.DELIVERED)
    yesterday = today() - timedelta(days=1)
    tenant = books.owner.tenant_id
    async with books.database.transaction() as db:
        await lock_day(db, tenant_id=tenant, day=yesterday, alone=True)
        settling = asyncio.create_task(books.settle(message_id, Ending.REPORTED))
        await asyncio.sleep(0.3)
        assert not settling.done()
        db.add(UsageClosing(tenant_id=tenant, day=yesterday, closed_at=datetime.now(UTC)))
    await settling
    assert (await books.record(message_id)).day == today()


async def test_a_day_that_is_today_and_closed_is_not_written_to(books: Books) -> None:
    """A clock is wrong: nothing is posted, and the step is retried."""
    await carded(books)
    message_id = await books.taken()
    await books.tell(message_id, R.DELIVERED)
    await books.close(today())
    with pytest.raises(DayIsClosed):
        await books.settle(message_id, Ending.REPORTED)
    assert await books.status(message_id) is S.SENT


@pytest.mark.parametrize("price", [None, "0.02"])
async def test_unknown_after_sent_keeps_its_cards_price_until_one_is_reported(
    telling: Books, price: str | None
) -> None:
    await carded(telling)
    message_id = await telling.taken()
    await telling.settle(message_id, Ending.GIVEN_UP)
    held = (UsageState.FINAL, None, PriceSource.CARD, BY_CARD)
    assert await telling.booked(message_id) == held
    await telling.tell(message_id, R.DELIVERED, price=price)
    assert (await telling.settle(message_id, Ending.REPORTED))[0] is S.DELIVERED
    assert await telling.booked(message_id) == held
    corrected = [] if price is None else [(today(), Decimal("-0.01"), ZERO, Decimal("-0.002"))]
    assert await telling.posted() == corrected


async def test_a_corrected_unknown_costs_on_the_day_it_comes_and_takes_no_units(
    database: Database, owner: Owner
) -> None:
    books = Books(database, owner, Scripted(AMBIGUOUS))
    await carded(books)
    message_id = await books.taken(days_ago=3)
    await books.settle(message_id, Ending.GIVEN_UP)
    assert await books.days() == {}
    for _ in range(2):
        await books.tell(message_id, R.DELIVERED)
        await books.settle(message_id, Ending.REPORTED)
    row = await books.record(message_id)
    assert (row.day, row.units, row.cost_units) == (today(), 0, 3)
    assert (row.cost, row.carrier_fee, row.markup) == BY_CARD
    assert await books.days() == {
        today(): (1, ZERO, Decimal("0.042"), Decimal("0.012"), Decimal("0.0114"))
    }
