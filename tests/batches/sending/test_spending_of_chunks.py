"""Chunks reserve what their attempts cost, within the daily limits of account and tenant."""

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import text

from models.enums import DeliveryMode, ReportStatus
from models.session import Database
from models.tables.spending import SHARDS
from tests.activities.doubles import AMBIGUOUS, REFUSED_EVERYWHERE, Scripted
from tests.batches.sending.harness import ChunkHarness
from tests.factories import Owner
from tests.spending.guarded import PRICE, Guarded, limit_account, make_live, named

LIVE = DeliveryMode.LIVE


async def live_chunks(
    database: Database, owner: Owner, provider: Scripted, *, priced: bool = True
) -> tuple[ChunkHarness, Guarded]:
    """Return chunks of a LIVE tenant, and a look at its spending."""
    look = Guarded(database, owner, provider)
    if priced:
        await look.with_cards()
    return ChunkHarness(database, owner, provider, mode=LIVE), look


async def test_members_reserve_what_they_cost_and_it_is_booked_at_the_end(
    database: Database,
) -> None:
    owner = await make_live(database)
    harness, look = await live_chunks(database, owner, Scripted(name=named()))
    chunk = await harness.chunk(15, units=2)
    assert (await harness.send(chunk)).awaited == 15
    spent = await look.spent()
    assert (spent.reserved, spent.booked) == (30 * PRICE, Decimal(0))
    await look.check_sums()
    await harness.tell_all(chunk.members[:10], provider=harness.account)
    await harness.tell_all(chunk.members[10:], ReportStatus.UNDELIVERED, provider=harness.account)
    assert sum((await harness.end(chunk)).ended.values()) == 15
    spent = await look.spent()
    assert (spent.reserved, spent.booked) == (Decimal(0), 30 * PRICE)
    await look.check_sums()


async def test_members_that_end_differently_are_booked_in_the_order_of_claims(
    database: Database,
) -> None:
    """A claim of another tenant with the account holds one total when the members end."""
    owner = await make_live(database)
    harness, look = await live_chunks(database, owner, Scripted(name=named()))
    chunk = await harness.chunk(8)
    await harness.send(chunk)
    low, high = (choose(chunk.members, key=lambda id: id % SHARDS) for choose in (min, max))
    await harness.tell_all([high], ReportStatus.DELIVERED, provider=harness.account)
    await harness.tell_all([low], ReportStatus.UNDELIVERED, provider=harness.account)
    lock = text(
        "SELECT 1 FROM spending_day WHERE tenant_id = 0 AND account = :a AND shard = :s FOR UPDATE"
    )
    async with database.transaction() as db:
        await db.execute(lock, {"a": harness.account, "s": low % SHARDS})
        ending = asyncio.create_task(harness.end(chunk))
        await asyncio.wait({ending}, timeout=0.5)
        await db.execute(lock, {"a": harness.account, "s": high % SHARDS})
    assert (await ending).ended == {"DELIVERED": 1, "UNDELIVERED": 1}
    await look.check_sums()


async def test_a_limit_lets_as_many_members_through_as_it_allows(database: Database) -> None:
    owner = await make_live(database, usd_per_day="0.07")
    provider = Scripted(name=named())
    harness, look = await live_chunks(database, owner, provider)
    chunk = await harness.chunk(12)
    result = await harness.send(chunk)
    assert (result.awaited, result.left) == (7, 5)
    assert (await look.spent()).reserved == Decimal("0.07")
    assert [(threshold, open) for threshold, _, open in await look.alerts()] == [
        (80, True),
        (100, True),
    ]
    handed = await harness.dispatch(harness.started_ids[0])
    assert handed.verdict == "LATER"
    assert len(provider.sent) == 7
    await look.check_sums()


async def test_chunks_and_single_sends_at_once_stay_within_the_limits(database: Database) -> None:
    owner, account = await make_live(database, usd_per_day="0.40"), named()
    await limit_account(database, account, "0.25")
    provider = Scripted(name=account)
    harness, look = await live_chunks(database, owner, provider)
    chunks = [await harness.chunk(15) for _ in range(2)]
    alone = [await harness.accept() for _ in range(10)]
    await asyncio.gather(
        *(harness.send(chunk) for chunk in chunks),
        *(harness.dispatch(message_id) for message_id in alone),
    )
    assert len(provider.sent) == 25
    assert (await look.spent()).reserved == Decimal("0.25")
    await look.check_sums()


@pytest.mark.parametrize(("limit", "sent"), [(None, 3), ("100", 0)])
async def test_without_a_price_a_limit_lets_nothing_through(
    database: Database, limit: str | None, sent: int
) -> None:
    owner = await make_live(database, usd_per_day=limit)
    provider = Scripted(name=named())
    harness, look = await live_chunks(database, owner, provider, priced=False)
    result = await harness.send(await harness.chunk(3))
    assert (len(provider.sent), result.left) == (sent, 3 - sent)
    await look.check_sums()


async def test_what_was_refused_is_released_and_what_is_unclear_is_not(
    database: Database,
) -> None:
    owner = await make_live(database)
    provider = Scripted(REFUSED_EVERYWHERE, AMBIGUOUS, name=named())
    harness, look = await live_chunks(database, owner, provider)
    await harness.send(await harness.chunk(2))
    assert (await look.spent()).reserved == PRICE
    await look.check_sums()
