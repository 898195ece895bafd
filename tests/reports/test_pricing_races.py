"""Prices imported while days are closed: a posted price never changes."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal

from models.enums import PriceSource, UnpricedReason
from models.queries.billing import repricing as pricing
from models.queries.billing.repricing import Repriced
from models.queries.billing.usage_days import lock_day
from models.rules.billing.pricing import Price
from models.session import Database
from tests.factories import Owner
from tests.reports.sums import check_sums
from tests.reports.usage_fixtures import Use, book

DAY, TODAY = date(2026, 4, 2), datetime(2026, 4, 16, 9, tzinfo=UTC)
NOTHING = Decimal(0)


async def test_a_vendors_price_that_comes_while_the_cards_is_accepted_is_booked_once(
    database: Database, owner: Owner
) -> None:
    message = await book(
        database, owner, Use(day=DAY, cost=Decimal("0.0079"), gap=UnpricedReason.VENDOR_PRICE)
    )
    told = Price(
        cost=Decimal("0.0070"),
        carrier_fee=NOTHING,
        markup=NOTHING,
        priced_by=PriceSource.VENDOR,
        gap=None,
    )

    async def reprice() -> None:
        async with database.transaction() as db:
            for day in (DAY, TODAY.date()):
                await lock_day(db, tenant_id=owner.tenant_id, day=day, alone=False)
            wanted = [Repriced(message_id=message, provider="simulator", units=1, price=told)]
            await pricing.reprice(db, tenant_id=owner.tenant_id, wanted=wanted, now=TODAY)

    async with database.transaction() as db:
        await pricing.accept_card_prices(db, tenant_id=owner.tenant_id, older_than=TODAY.date())
        repricing = asyncio.create_task(reprice())
        await asyncio.sleep(0.2)
        assert not repricing.done()
    await repricing
    assert (await check_sums(database, owner)).cost == Decimal("0.0070")
