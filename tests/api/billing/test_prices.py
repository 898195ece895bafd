"""Prices in the view of a message."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from models.enums import Channel, PriceSource, UnpricedReason, UsageState
from models.session import Database
from models.tables.usage import UsageCorrection, UsageRecord
from tests.api.integrator import Integrator, make_merchant, make_message
from tests.shown_ids import shown

DAY = date(2026, 4, 16)
Recorded = Callable[..., Awaitable[str]]


@pytest.fixture
def recorded(database: Database, integrator: Integrator) -> Recorded:
    """Adds a message with a usage record, and corrections of its cost."""

    async def add(*corrections: str, **facts: Any) -> str:
        tenant, now = integrator.tenant_id, datetime.now(UTC)
        merchant = await make_merchant(database, tenant)
        message = await make_message(database, tenant, merchant)
        common: dict[str, Any] = {
            "tenant_id": tenant,
            "message_id": message,
            "merchant_id": merchant,
        }
        where: dict[str, Any] = {"channel": Channel.SMS, "provider": "p", "day": DAY}
        record: dict[str, Any] = {
            "units": 1,
            "cost_units": 1,
            "state": UsageState.FINAL,
            "cost": Decimal("0.0083"),
            "carrier_fee": Decimal("0.0045"),
            "markup": Decimal("0.00256"),
            "priced_by": PriceSource.CARD,
            "recorded_at": now,
        }
        async with database.transaction() as db:
            db.add(UsageRecord(**common, **where, **{**record, **facts}))
            await db.flush()
            for cost in corrections:
                db.add(UsageCorrection(**common, **where, cost=Decimal(cost), posted_at=now))
        return str(await shown(database, "message", message))

    return add


async def price(integrator: Integrator, message_id: str) -> Any:
    one = (await integrator.get(f"/messages/{message_id}")).json()["price"]
    (listed,) = (await integrator.get("/messages")).json()
    assert listed["price"] == one
    return one


async def test_a_price_is_its_record_and_what_was_posted_since(
    integrator: Integrator, recorded: Recorded
) -> None:
    assert await price(integrator, await recorded("-0.001", "0.0022")) == {
        "providerCost": "0.009500",
        "carrierFee": "0.004500",
        "markup": "0.002560",
        "total": "0.016560",
        "currency": "USD",
        "state": "FINAL",
    }


async def test_a_price_that_is_awaited_is_provisional(
    integrator: Integrator, recorded: Recorded
) -> None:
    waiting = {"state": UsageState.PROVISIONAL, "gap": UnpricedReason.VENDOR_PRICE}
    shown = await price(integrator, await recorded(**waiting))
    assert (shown["total"], shown["state"]) == ("0.015360", "PROVISIONAL")


@pytest.mark.parametrize(
    "facts",
    [
        {"state": UsageState.PROVISIONAL, "gap": UnpricedReason.RATE_MISSING, "cost": Decimal(0)},
        {"priced_by": None, "cost": Decimal(0)},
    ],
    ids=["without a card", "from before there were prices"],
)
async def test_a_message_without_a_known_price_has_none(
    integrator: Integrator, recorded: Recorded, facts: dict[str, Any]
) -> None:
    assert await price(integrator, await recorded(**facts)) is None


async def test_an_open_message_has_no_price(integrator: Integrator, database: Database) -> None:
    merchant = await make_merchant(database, integrator.tenant_id)
    message = await make_message(database, integrator.tenant_id, merchant)
    assert await price(integrator, str(await shown(database, "message", message))) is None
