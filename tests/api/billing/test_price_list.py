"""An upgrade must match the price list, or it is refused."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.services.billing.upgrades import Billing
from models.enums import Channel
from models.queries.billing import prices
from models.rules.billing.price_file import read_prices
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.doubles import FakeUpgradeStarter
from tests.api.integrator import GYM, Integrator, make_integrator, make_merchant, make_tenant
from tests.factories import add_price, unique

UPGRADE: dict[str, Any] = {
    "merchantId": "gym-a",
    "channel": "SMS",
    "units": 2500,
    "amountCents": 4900,
    "paymentMethodId": "pm_123",
    "referenceId": "upgrade-apr-16",
    "currency": "USD",
}
"""From the developer guide."""

EVERYBODY = 0


@pytest.fixture(autouse=True)
def counter(app: FastAPI, database: Database) -> Iterator[None]:
    """The real service with a double of Temporal only."""
    billing = Billing(
        database,
        FakeUpgradeStarter(),
        start_within=timedelta(minutes=1),
        clock=lambda: datetime.now(UTC),
    )
    with restored(app):
        put_in(app, "billing", upgrades=billing)
        yield


@pytest.fixture
async def gym(database: Database, client: httpx.AsyncClient) -> Integrator:
    """A tenant bound to the price list, with the guide's merchant."""
    tenant_id = await make_tenant(database, custom_prices=False)
    gym = await make_integrator(database, client, tenant_id)
    assert (await gym.post("/merchants", GYM)).status_code == 200
    return gym


Refused = Callable[..., Awaitable[str]]


@pytest.fixture
def refused(gym: Integrator, database: Database) -> Refused:
    """Request a refused upgrade; return the error."""

    async def order(who: Integrator = gym, **changed: Any) -> str:
        before = await ordered(database, who)
        request = UPGRADE | {"referenceId": unique("reference")} | changed
        answer = await who.post("/billing/upgrade", request, key="some-key")
        assert (answer.status_code, answer.json()["code"]) == (400, "PRICE_MISMATCH")
        assert await ordered(database, who) == before
        detail: str = answer.json()["detail"]
        return detail

    return order


async def ordered(database: Database, who: Integrator) -> list[Any]:
    """Return the upgrades of a tenant."""
    async with database.read() as db:
        found = await db.execute(
            text(
                "SELECT channel, units, amount_cents, currency FROM payment WHERE tenant_id = :t"
                " ORDER BY id"
            ),
            {"t": who.tenant_id},
        )
        return [tuple(row) for row in found]


async def test_ten_million_units_for_one_cent_are_refused(
    gym: Integrator, database: Database, refused: Refused
) -> None:
    await add_price(database, gym.tenant_id)
    told = await refused(units=10_000_000, amountCents=1)
    assert told == (
        "10000000 SMS units are not in the price list. Near: 2500 for amountCents 4900 USD."
    )


async def test_without_a_price_list_nothing_can_be_ordered(refused: Refused) -> None:
    assert await refused(channel="VOICE") == "There is no price list for VOICE credits here."


async def test_the_same_key_works_once_the_amount_is_right(
    gym: Integrator, database: Database, refused: Refused
) -> None:
    await add_price(database, gym.tenant_id)
    told = await refused(amountCents=4899)
    assert told == "2500 SMS units cost amountCents 4900 USD."
    answer = await gym.post("/billing/upgrade", UPGRADE, key="some-key")
    assert (answer.status_code, answer.json()["paymentStatus"]) == (200, "PENDING")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"amountCents": 1}, "amountCents"),
        ({"amountCents": 4901}, "amountCents"),
        ({"amountCents": 99_999_999}, "amountCents"),
        ({"currency": "JPY"}, "currency"),
        ({"currency": "GBP", "amountCents": 4500}, "currency"),
        ({"currency": "EUR"}, "amountCents"),
        ({"units": 2499}, "units"),
        ({"units": 2501}, "units"),
        ({"units": 1}, "units"),
        ({"units": 5000, "amountCents": 9800}, "units"),
    ],
    ids=repr,
)
async def test_a_mismatch_with_every_line_is_refused_with_its_field(
    gym: Integrator, database: Database, changed: dict[str, Any], field: str
) -> None:
    await add_price(database, gym.tenant_id)
    await add_price(database, gym.tenant_id, currency="EUR", amount_cents=4500)
    answer = await gym.post("/billing/upgrade", UPGRADE | changed)
    assert (answer.status_code, answer.json()["code"]) == (400, "PRICE_MISMATCH")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await ordered(database, gym) == []


async def test_a_line_of_another_channel_does_not_match(
    gym: Integrator, database: Database, refused: Refused
) -> None:
    await add_price(database, gym.tenant_id)
    assert "no price list" in await refused(channel="VOICE")


async def test_a_line_of_another_tenant_does_not_match(
    database: Database, refused: Refused
) -> None:
    await add_price(database, await make_tenant(database))
    await refused(units=2500)


async def test_one_pack_may_be_paid_in_several_currencies(
    gym: Integrator, database: Database
) -> None:
    await add_price(database, gym.tenant_id)
    await add_price(database, gym.tenant_id, currency="JPY", amount_cents=7000)
    for reference, facts in (("a", {}), ("b", {"currency": "JPY", "amountCents": 7000})):
        answer = await gym.post("/billing/upgrade", UPGRADE | facts | {"referenceId": reference})
        assert answer.status_code == 200


async def test_a_later_version_takes_the_place_of_an_earlier_one_when_its_time_has_come(
    gym: Integrator, database: Database, refused: Refused
) -> None:
    tenant_id = gym.tenant_id
    await add_price(database, tenant_id, amount_cents=4800, valid_in_days=-2)
    await add_price(database, tenant_id, amount_cents=4900, valid_in_days=-1)
    await add_price(database, tenant_id, amount_cents=5000, valid_in_days=1)
    assert "4900" in await refused(amountCents=4800)
    assert "4900" in await refused(amountCents=5000)
    assert (await gym.post("/billing/upgrade", UPGRADE)).status_code == 200


async def test_units_that_are_no_longer_sold_cannot_be_bought(
    gym: Integrator, database: Database, refused: Refused
) -> None:
    await add_price(database, gym.tenant_id, valid_in_days=-2)
    await add_price(database, gym.tenant_id, amount_cents=None, valid_in_days=-1)
    assert "no price list" in await refused()


async def test_a_tenants_own_lines_replace_those_for_all(
    gym: Integrator, database: Database, client: httpx.AsyncClient, refused: Refused
) -> None:
    # a channel that no other test here uses: lines for all tenants are visible to all
    mail = Channel.EMAIL
    await add_price(database, EVERYBODY, channel=mail, amount_cents=100)
    await add_price(database, EVERYBODY, channel=mail, amount_cents=90, currency="EUR")
    order = UPGRADE | {"channel": "EMAIL", "amountCents": 100}
    assert (await gym.post("/billing/upgrade", order)).status_code == 200
    await add_price(database, gym.tenant_id, channel=mail, amount_cents=80)
    told = await refused(channel="EMAIL", amountCents=100)
    assert told == "2500 EMAIL units cost amountCents 80 USD."
    await refused(channel="EMAIL", amountCents=90, currency="EUR")
    other = await make_integrator(
        database, client, await make_tenant(database, custom_prices=False)
    )
    assert (await other.post("/merchants", GYM)).status_code == 200
    assert (await other.post("/billing/upgrade", order)).status_code == 200
    await add_price(database, gym.tenant_id, channel=mail, amount_cents=None, valid_in_days=-1)
    await refused(channel="EMAIL", amountCents=80)
    await refused(channel="EMAIL", amountCents=100)


async def test_key_and_reference_are_looked_up_before_the_price(
    gym: Integrator, database: Database, refused: Refused
) -> None:
    await add_price(database, gym.tenant_id, valid_in_days=-2)
    first = await gym.post("/billing/upgrade", UPGRADE, key="k")
    await add_price(database, gym.tenant_id, amount_cents=5000, valid_in_days=-1)
    again = await gym.post("/billing/upgrade", UPGRADE, key="k")
    by_reference = await gym.post("/billing/upgrade", UPGRADE, key="another")
    assert first.json() == again.json() == by_reference.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    reused = await gym.post("/billing/upgrade", UPGRADE | {"amountCents": 5000}, key="k")
    assert (reused.status_code, reused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    differs = await gym.post("/billing/upgrade", UPGRADE | {"amountCents": 1}, key="third")
    assert (differs.status_code, differs.json()["code"]) == (409, "REFERENCE_REUSED")
    await refused(referenceId="fresh")


async def custom(database: Database, tenant_id: int, *, may: bool) -> None:
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE tenant SET custom_prices = :may WHERE id = :t"),
            {"may": may, "t": tenant_id},
        )


async def test_a_tenant_with_custom_prices_orders_at_any_price_by_its_own_keys_only(
    gym: Integrator, database: Database, client: httpx.AsyncClient, refused: Refused
) -> None:
    merchant_id = await make_merchant(database, gym.tenant_id, "gym-b")
    theirs = await make_integrator(database, client, gym.tenant_id, merchant_id)
    await custom(database, gym.tenant_id, may=True)
    cheap = {"merchantId": "gym-b", "units": 10_000_000, "amountCents": 1}
    await refused(theirs, **cheap)
    answer = await gym.post("/billing/upgrade", UPGRADE | cheap)
    assert answer.status_code == 200
    await add_price(database, gym.tenant_id, units=10_000_000, amount_cents=500)
    await refused(theirs, **cheap, referenceId="other")
    right = UPGRADE | cheap | {"amountCents": 500, "referenceId": "other"}
    assert (await theirs.post("/billing/upgrade", right)).status_code == 200
    await custom(database, gym.tenant_id, may=False)
    await refused(**cheap, referenceId="third")


async def test_a_merchants_key_cannot_reuse_the_price_of_the_tenants_reference(
    gym: Integrator, database: Database, client: httpx.AsyncClient, refused: Refused
) -> None:
    """A FAILED payment frees its reference; its price is not reusable."""
    merchant_id = await make_merchant(database, gym.tenant_id, "gym-b")
    theirs = await make_integrator(database, client, gym.tenant_id, merchant_id)
    await custom(database, gym.tenant_id, may=True)
    cheap = {"merchantId": "gym-b", "amountCents": 1}
    assert (await gym.post("/billing/upgrade", UPGRADE | cheap)).status_code == 200
    async with database.transaction() as db:
        await db.execute(
            text(
                "UPDATE payment SET status = 'FAILED', failed_at = now(), completed_at = now()"
                " WHERE tenant_id = :t"
            ),
            {"t": gym.tenant_id},
        )
    await refused(theirs, **cheap)


async def import_price(database: Database, tenant: str, amount: str) -> None:
    async with database.transaction() as db:
        now = await prices.lock_prices(db)
        lines, bad = read_prices(
            f"channel,units,amount,currency,tenant\nSMS,2500,{amount},USD,{tenant}", now
        )
        assert bad == []
        await prices.add_prices(db, lines=lines, now=now)


async def test_an_order_that_races_an_import_costs_what_was_right_before_or_after(
    gym: Integrator, database: Database
) -> None:
    async with database.read() as db:
        name = await db.scalar(text("SELECT name FROM tenant WHERE id = :t"), {"t": gym.tenant_id})
    await import_price(database, name, "49.00")
    order = [
        gym.post("/billing/upgrade", UPGRADE | {"referenceId": f"r{n}", "amountCents": cents})
        for n, cents in enumerate([4900, 5000, 4950] * 8)
    ]
    answers, _ = await asyncio.gather(asyncio.gather(*order), import_price(database, name, "50.00"))
    assert {answer.status_code for answer in answers} <= {200, 400}
    assert {row[2] for row in await ordered(database, gym)} <= {4900, 5000}
    late = UPGRADE | {"referenceId": "late"}
    assert (await gym.post("/billing/upgrade", late)).status_code == 400


CHANNELS = st.sampled_from(["SMS", "VOICE"])
UNITS = st.sampled_from([1, 2, 2500])
AMOUNTS = st.sampled_from([1, 4900, 5000])
MONEY = st.sampled_from(["USD", "EUR"])
LINES = st.lists(st.tuples(CHANNELS, UNITS, AMOUNTS, MONEY), max_size=5)
ORDERS = st.lists(st.tuples(CHANNELS, UNITS, AMOUNTS, MONEY, st.booleans()), min_size=1, max_size=6)


@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(lines=LINES, orders=ORDERS, may=st.booleans())
async def test_only_a_key_of_a_tenant_with_custom_prices_buys_at_unlisted_prices(
    database: Database,
    client: httpx.AsyncClient,
    lines: list[tuple[str, int, int, str]],
    orders: list[tuple[str, int, int, str, bool]],
    may: bool,
) -> None:
    tenant_id = await make_tenant(database, custom_prices=may)
    merchant_id = await make_merchant(database, tenant_id)
    by_key = {
        merchants: await make_integrator(
            database, client, tenant_id, merchant_id if merchants else None
        )
        for merchants in (False, True)
    }
    in_force: dict[tuple[str, int, str], int] = {}
    for age, (channel, units, amount, currency) in enumerate(lines):
        in_force[channel, units, currency] = amount
        await add_price(
            database,
            tenant_id,
            channel=Channel(channel),
            units=units,
            amount_cents=amount,
            currency=currency,
            valid_in_days=age - 100,
        )
    for number, (channel, units, amount, currency, merchants) in enumerate(orders):
        order = {"channel": channel, "units": units, "amountCents": amount, "currency": currency}
        answer = await by_key[merchants].post(
            "/billing/upgrade", UPGRADE | order | {"referenceId": f"r{number}"}
        )
        right = in_force.get((channel, units, currency)) == amount or (may and not merchants)
        assert answer.status_code == (200 if right else 400), answer.text
