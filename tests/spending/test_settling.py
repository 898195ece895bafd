"""What an attempt reserves is replaced by its posted cost, on the day of its claim."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from models.enums import ErrorCode, MessageStatus, ReportStatus
from models.queries.accounts.spending import book, read_spending, release
from models.queries.billing.repricing import price_what_is_missing
from models.queries.billing.usage_days import lock_day
from models.session import Database
from models.tables.usage import UsageClosing
from tests.activities.doubles import AMBIGUOUS, NOT_PROCESSED, REFUSED, Scripted
from tests.factories import add_card
from tests.spending.guarded import (
    NOTHING,
    PRICE,
    Guarded,
    Sums,
    limit_account,
    limit_tenant,
    make_live,
    named,
)
from workflows.messages.types import Ending, Verdict

R = ReportStatus
ZERO = Decimal(0)


async def one_account(database: Database, *answers: object, **wanted: object) -> Guarded:
    provider = Scripted(*answers, name=named(), **wanted)  # type: ignore[arg-type]
    return await Guarded(database, await make_live(database), provider).with_cards()


async def delivered(live: Guarded, *, price: str | None = None) -> int:
    message_id = await live.accept(units=2)
    await live.dispatch(message_id)
    await tell(live, message_id, price=price)
    await live.settle(message_id, Ending.REPORTED)
    return message_id


async def tell(live: Guarded, message_id: int, *, price: str | None = None, n: int = 1) -> None:
    account = live.providers[0].account
    event = f"e{message_id}-{n}"
    await live.tell(message_id, R.DELIVERED, event_id=event, provider=account, price=price)


async def move_back(live: Guarded, message_id: int, days: int = 1) -> None:
    """Let a message have been claimed some days ago."""
    ids = {"t": live.owner.tenant_id, "m": message_id, "days": days}
    async with live.database.transaction() as db:
        await db.execute(
            text(
                "UPDATE attempt SET requested_at = requested_at - make_interval(days => :days)"
                " WHERE tenant_id = :t AND message_id = :m"
            ),
            ids,
        )
        await db.execute(
            text(
                "UPDATE attempt_cost SET day = day - CAST(:days AS int)"
                " WHERE tenant_id = :t AND message_id = :m"
            ),
            ids,
        )
        await db.execute(
            text(
                "UPDATE spending_day SET day = day - CAST(:days AS int)"
                " WHERE tenant_id = :t OR (tenant_id = 0 AND account = :a)"
            ),
            {"t": live.owner.tenant_id, "a": live.providers[0].account, "days": days},
        )


async def test_a_delivered_message_is_booked_at_the_cards_price(database: Database) -> None:
    live = await one_account(database)
    await delivered(live)
    assert await live.spent() == Sums(ZERO, 2 * PRICE)
    await live.check_sums()


async def test_a_vendors_own_price_is_booked_instead(database: Database) -> None:
    live = await one_account(database, reports_price=True)
    await delivered(live, price="0.0333")
    assert await live.spent() == Sums(ZERO, Decimal("0.0333"))
    await live.check_sums()


async def test_a_price_that_comes_later_changes_the_day_of_the_claim(database: Database) -> None:
    live = await one_account(database, reports_price=True)
    message_id = await live.accept(units=2)
    await live.dispatch(message_id)
    await move_back(live, message_id)
    await tell(live, message_id)
    await live.settle(message_id, Ending.REPORTED)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert await live.days_of_tenant() == {yesterday: Sums(ZERO, 2 * PRICE)}
    await tell(live, message_id, price="0.05", n=2)
    await live.settle(message_id, Ending.OVER)
    assert await live.days_of_tenant() == {yesterday: Sums(ZERO, Decimal("0.05"))}
    await live.check_sums()


async def test_a_correction_after_the_day_was_closed_counts_on_the_day_of_the_claim(
    database: Database,
) -> None:
    live = await one_account(database, reports_price=True)
    message_id = await live.accept(units=2)
    await live.dispatch(message_id)
    await move_back(live, message_id)
    await tell(live, message_id)
    await live.settle(message_id, Ending.REPORTED)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    async with database.transaction() as db:
        await lock_day(db, tenant_id=live.owner.tenant_id, day=yesterday, alone=True)
        now = datetime.now(UTC)
        db.add(UsageClosing(tenant_id=live.owner.tenant_id, day=yesterday, closed_at=now))
    await tell(live, message_id, price="0.05", n=2)
    await live.settle(message_id, Ending.OVER)
    assert await live.days_of_tenant() == {yesterday: Sums(ZERO, Decimal("0.05"))}


async def test_a_missing_card_that_comes_later_is_booked(database: Database) -> None:
    provider = Scripted(name=named())
    live = Guarded(database, await make_live(database), provider)
    await delivered(live)
    assert await live.spent() == NOTHING
    await add_card(database, live.owner.tenant_id, provider=provider.name)
    async with database.transaction() as db:
        now = datetime.now(UTC)
        assert await price_what_is_missing(db, tenant_id=live.owner.tenant_id, now=now) == 1
    assert await live.spent() == Sums(ZERO, 2 * PRICE)
    await live.check_sums()


async def test_a_message_that_no_provider_took_costs_nothing(database: Database) -> None:
    live = await one_account(database, REFUSED)
    message_id = await live.accept()
    await live.dispatch(message_id)
    await live.settle(message_id, Ending.REFUSED, ErrorCode.PROVIDER_REFUSED)
    assert await live.spent() == NOTHING


async def test_an_unknown_end_releases_what_nobody_confirmed(database: Database) -> None:
    live = await one_account(database, AMBIGUOUS)
    message_id = await live.accept()
    await live.dispatch(message_id)
    assert (await live.settle(message_id, Ending.GIVEN_UP))[0] is MessageStatus.UNKNOWN
    assert await live.spent() == NOTHING
    await tell(live, message_id)
    assert (await live.settle(message_id, Ending.OVER))[0] is MessageStatus.DELIVERED
    assert await live.spent() == Sums(ZERO, PRICE)
    await live.check_sums()


async def test_only_the_attempt_that_was_taken_is_booked(database: Database) -> None:
    first, second = Scripted(NOT_PROCESSED, name=named()), Scripted(name=named())
    live = await Guarded(database, await make_live(database), first, second).with_cards()
    message_id = await live.accept()
    await live.dispatch(message_id)
    await live.dispatch(message_id)
    await live.tell(message_id, R.DELIVERED, provider=second.account, attempt=2)
    await live.settle(message_id, Ending.REPORTED)
    (of_second,) = (await live.days_of_account(second.account)).values()
    (of_first,) = (await live.days_of_account(first.account)).values()
    assert (of_first, of_second) == (NOTHING, Sums(ZERO, PRICE))
    await live.check_sums()


async def test_a_report_about_a_refused_attempt_is_booked_all_the_same(database: Database) -> None:
    live = await one_account(database, REFUSED)
    message_id = await live.accept()
    await live.dispatch(message_id)
    await tell(live, message_id)
    await live.settle(message_id, Ending.REPORTED)
    assert await live.spent() == Sums(ZERO, PRICE)
    await live.check_sums()


@pytest.mark.parametrize("times", [2, 3])
async def test_every_move_happens_once(database: Database, times: int) -> None:
    live = await one_account(database, NOT_PROCESSED)
    waiting = await live.accept()
    await live.dispatch(waiting)
    ended = await delivered(await live.accepting())
    for _ in range(times):
        async with database.transaction() as db:
            tenant_id = live.owner.tenant_id
            await release(db, tenant_id=tenant_id, message_id=waiting, number=1)
            await book(db, tenant_id=tenant_id, message_ids=[ended, waiting])
    assert await live.spent() == Sums(ZERO, 2 * PRICE)
    await live.check_sums()


async def test_what_was_booked_above_the_reservation_counts_against_the_limit(
    database: Database,
) -> None:
    live = await one_account(database, reports_price=True)
    await limit_tenant(database, live.owner, "0.05")
    await delivered(live, price="0.045")
    assert (await live.dispatch(await live.accept())).verdict is Verdict.LATER


async def test_the_operator_reads_what_every_account_spends(database: Database) -> None:
    live, other = await one_account(database), await one_account(database)
    account, idle = live.providers[0].account, named()
    await limit_account(database, idle, "5")
    await limit_account(database, account, "10")
    await delivered(live)
    await live.dispatch(await live.accept())
    await other.dispatch(await other.accept())
    async with database.read() as db:
        read = await read_spending(db, datetime.now(UTC).date())
    found = {s.account: (s.reserved, s.booked, s.limit) for s in read}
    assert found[account] == (PRICE, 2 * PRICE, Decimal(10))
    assert found[idle] == (ZERO, ZERO, Decimal(5))
    assert found[other.providers[0].account] == (PRICE, ZERO, None)
    assert [s.account for s in read] == sorted(found)


async def test_a_message_that_ends_as_sent_is_booked_at_the_cards_price(
    database: Database,
) -> None:
    provider = Scripted(name=named())
    provider.reports_delivery = False
    live = await Guarded(database, await make_live(database), provider).with_cards()
    message_id = await live.accept(units=2)
    await live.dispatch(message_id)
    assert (await live.settle(message_id, Ending.REPORTED))[0] is MessageStatus.SENT
    assert await live.spent() == Sums(ZERO, 2 * PRICE)
    await live.check_sums()
