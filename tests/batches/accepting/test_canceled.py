"""A canceled batch accepts no further line, and its waiting messages are canceled."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.messages.batches.cancel_members import CancelingMembers
from models.enums import MessageStatus
from models.queries.messages.batches.cancellation import cancel_some
from models.rules.messages.batches.acceptance import BatchKey, DecidedPage
from models.session import Database
from tests.batches.accepting.harness import Batches, number, sms
from tests.batches.accepting.test_races import persist
from tests.batches.accepting.twins import soon
from tests.factories import Owner, claim_once, make_owner
from tests.ledger.laws import check_laws
from workflows.messages.batches.types import CancelMembersResult, CancelMembersStep


async def cancel_members(batches: Batches, owner: Owner, batch: BatchKey, temporal: Client) -> int:
    """Run the step page by page; return how many messages it canceled."""
    step = CancelMembersStep(
        tenant_id=batch.tenant_id,
        batch_id=batch.batch_id,
        public_id=batch.public_id,
        merchant_id=owner.merchant_id,
    )
    canceling = CancelingMembers(batches.database, temporal, batches.clock)
    canceled = 0
    while True:
        page: CancelMembersResult = await ActivityEnvironment().run(canceling.cancel_members, step)
        canceled += page.canceled
        if not page.more:
            return canceled


@pytest.fixture
async def temporal_client(temporal: object) -> Client:
    """A client of the shared server."""
    return await Client.connect(temporal.address)  # type: ignore[attr-defined]


async def test_in_the_middle(batches: Batches, database: Database, temporal_client: Client) -> None:
    owner = await make_owner(database, sms_limit=40, credits=20)
    lines = [sms(number(place)) for place in range(50)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    acceptance = batches.acceptance(page=20)
    await acceptance.accept_page(batch)
    await batches.cancel(batch)
    assert await acceptance.accept_page(batch) == DecidedPage(
        refused=30, decided=True, canceled=True
    )
    assert await batches.codes(batch) == [None] * 20 + ["BATCH_CANCELED"] * 30
    assert not any(line.kept for line in await batches.decided(batch))
    assert (await batches.row(batch)).sweep_at is not None
    assert await cancel_members(batches, owner, batch, temporal_client) == 20
    assert (await batches.row(batch)).sweep_at is None
    assert {m.status for m in await batches.messages(owner.tenant_id)} == {"CANCELED"}
    books = await check_laws(database, owner, [(0, 40)])
    assert (books.account.available, books.account.held) == (20, 0)
    assert await acceptance.accept_page(batch) == DecidedPage(decided=True, canceled=True)


async def test_only_messages_that_wait_are_canceled(
    batches: Batches, database: Database, temporal_client: Client
) -> None:
    owner = await make_owner(database)
    now = datetime.now(UTC)
    lines = [sms(number(place)) for place in range(6)]
    lines[3]["sendAt"] = soon(now, 5)
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    await batches.accept_all(batch)
    first, second, *_ = await batches.messages(owner.tenant_id)
    async with database.transaction() as db:
        await claim_once(db, owner.tenant_id, first.id, now)
        await claim_once(db, owner.tenant_id, second.id, now)
    await batches.cancel(batch)
    await batches.accept_all(batch)
    assert await cancel_members(batches, owner, batch, temporal_client) == 4
    assert await cancel_members(batches, owner, batch, temporal_client) == 0
    statuses = [message.status for message in await batches.messages(owner.tenant_id)]
    assert statuses == [MessageStatus.SENDING] * 2 + [MessageStatus.CANCELED] * 4
    await check_laws(database, owner, [(0, 1000)])


async def test_a_message_that_is_claimed_before_it_is_locked_is_not_canceled(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    lines = [sms(number(place)) for place in range(4)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    await batches.accept_all(batch)
    ids = [message.id for message in await batches.messages(owner.tenant_id)]
    now = datetime.now(UTC)
    async with database.transaction() as db:
        await claim_once(db, owner.tenant_id, ids[1], now)
    async with database.transaction() as db:
        canceled, looked_at = await cancel_some(
            db, tenant_id=owner.tenant_id, message_ids=ids, now=now
        )
    assert (canceled, looked_at) == ({ids[0], ids[2], ids[3]}, set(ids))
    await check_laws(database, owner, [(0, 1000)])


async def test_while_several_workers_accept_it(
    batches: Batches, database: Database, temporal_client: Client
) -> None:
    owner = await make_owner(database)
    lines = [sms(number(place)) for place in range(80)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)

    async def cancel() -> None:
        await asyncio.sleep(0.1)
        await batches.cancel(batch)

    await asyncio.gather(*(persist(batches, batch, page=3) for _ in range(3)), cancel())
    await batches.cancel(batch)
    await batches.accept_all(batch)
    codes = await batches.codes(batch)
    accepted = codes.count(None)
    assert codes == [None] * accepted + ["BATCH_CANCELED"] * (80 - accepted)
    row = await batches.row(batch)
    assert (row.accepted, row.refused) == (accepted, 80 - accepted)
    assert await cancel_members(batches, owner, batch, temporal_client) == accepted
    await check_laws(database, owner, [(0, 1000)])


async def test_the_sweep_looks_after_it_until_nothing_waits(
    batches: Batches, database: Database, temporal_client: Client
) -> None:
    owner = await make_owner(database)
    batch = await batches.store(owner.tenant_id, [sms(number(1))], merchant=owner.merchant)
    await batches.accept_all(batch)
    await batches.cancel(batch)
    batches.clock.now += timedelta(seconds=1)
    assert await batches.acceptance().accept_page(batch) == DecidedPage(decided=True, canceled=True)
    async with database.read() as db:
        due = text("SELECT sweep_at FROM batch WHERE tenant_id = :t")
        assert await db.scalar(due, {"t": owner.tenant_id}) > batches.clock.now
    await cancel_members(batches, owner, batch, temporal_client)
    assert (await batches.row(batch)).sweep_at is None
