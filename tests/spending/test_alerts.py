"""The alert about a tenant's spending limit, and what tells the operator of an account's."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from models.metrics import ACCOUNT_LIMITS
from models.queries.alerts.spending_alerts import spending_limit_changed
from models.queries.alerts.watcher import resolve_old
from models.session import Database
from tests.activities.doubles import Scripted
from tests.spending.guarded import Guarded, limit_account, limit_tenant, make_live, named
from workflows.messages.types import Verdict

WARNED, REACHED = (80, "WARNING", True), (100, "CRITICAL", True)


async def limited(database: Database, usd: str) -> Guarded:
    live = await make_live(database, usd_per_day=usd)
    return await Guarded(database, live, Scripted(name=named())).with_cards()


async def look_after(database: Database, *, later: timedelta = timedelta(0)) -> None:
    """Resolve what is over, as the watcher does."""
    async with database.transaction() as db:
        await resolve_old(db, now=datetime.now(UTC) + later, most=1000)


def counted(account: str, percent: int) -> float:
    return float(ACCOUNT_LIMITS.labels(account, str(percent))._value.get())


@pytest.mark.parametrize(
    ("units", "alerts"),
    [
        ([7], []),
        ([8], [WARNED]),
        ([7, 1], [WARNED]),
        ([9, 1], [WARNED, REACHED]),
        ([10], [WARNED, REACHED]),
        ([9, 3], [WARNED, REACHED]),
        ([11], [REACHED]),
    ],
)
async def test_a_tenants_alert_is_raised_by_the_claim_that_reaches_it(
    database: Database, units: list[int], alerts: list[tuple[int, str, bool]]
) -> None:
    live = await limited(database, "0.10")
    for count in units:
        await live.dispatch(await live.accept(units=count))
    assert await live.alerts() == alerts


async def test_waiting_messages_raise_it_once(database: Database) -> None:
    live = await limited(database, "0.01")
    for _ in range(4):
        await live.dispatch(await live.accept())
    (row,) = await live.rows(
        "SELECT * FROM alert WHERE tenant_id = :t AND type = 'SPENDING_LIMIT' AND threshold = 100"
    )
    assert (row.count, row.merchant_id, row.channel) == (1, 0, "")
    assert row.subject == datetime.now(UTC).date().isoformat()
    assert "0.01 USD" in row.message


async def test_it_ends_with_the_day(database: Database) -> None:
    live = await limited(database, "0.01")
    await live.dispatch(await live.accept())
    await look_after(database)
    assert await live.alerts() == [WARNED, REACHED]
    await look_after(database, later=timedelta(days=1))
    assert [open for _, _, open in await live.alerts()] == [False, False]


@pytest.mark.parametrize(
    ("usd", "open"),
    [("0.10", [80]), ("0.11", [80]), ("0.12", []), (None, []), ("0.09", [80, 100])],
)
async def test_a_new_limit_resolves_what_is_not_reached_by_it(
    database: Database, usd: str | None, open: list[int]
) -> None:
    live = await limited(database, "0.10")
    for units in (9, 2):  # 90 % are reserved, and the second has to wait
        await live.dispatch(await live.accept(units=units))
    assert await live.alerts() == [WARNED, REACHED]
    await limit_tenant(database, live.owner, usd)
    async with database.transaction() as db:
        now = datetime.now(UTC)
        await spending_limit_changed(db, tenant_id=live.owner.tenant_id, now=now)
    assert [threshold for threshold, _, still in await live.alerts() if still] == open


async def test_an_accounts_limit_tells_the_operator_and_no_tenant(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    account = named()
    live = await Guarded(database, await make_live(database), Scripted(name=account)).with_cards()
    await limit_account(database, account, "0.10")
    with caplog.at_level(logging.INFO, logger="activities.messages.spending_guard"):
        await live.dispatch(await live.accept(units=7))
        assert caplog.records == []
        await live.dispatch(await live.accept(units=2))
        (record,) = caplog.records
        assert (record.levelname, record.__dict__["account"]) == ("WARNING", account)
        assert record.__dict__["percent"] == 80
        assert (await live.dispatch(await live.accept(units=3))).verdict is Verdict.LATER
    assert (counted(account, 80), counted(account, 100)) == (1, 1)
    assert await live.alerts() == []


async def test_another_tenants_spending_at_an_account_raises_nothing(database: Database) -> None:
    account = named()
    big = await Guarded(database, await make_live(database), Scripted(name=account)).with_cards()
    small = await limited(database, "1")
    shared = await Guarded(database, small.owner, Scripted(name=account)).with_cards()
    await limit_account(database, account, "0.10")
    await big.dispatch(await big.accept(units=9))
    assert (await shared.dispatch(await shared.accept(units=3))).verdict is Verdict.LATER
    assert await shared.alerts() == []


async def test_a_rolled_back_claim_raises_no_alert(database: Database) -> None:
    """A claim that an account's limit forbids does not reach the tenant's either."""
    account = named()
    owner = await make_live(database, usd_per_day="0.10")
    live = await Guarded(database, owner, Scripted(name=account)).with_cards()
    await limit_account(database, account, "0.05")
    await live.dispatch(await live.accept(units=9))
    assert await live.alerts() == []
    async with database.read() as db:
        spent = await db.scalar(
            text("SELECT sum(reserved) FROM spending_day WHERE tenant_id = :t"),
            {"t": owner.tenant_id},
        )
    assert spent in (None, Decimal(0))
