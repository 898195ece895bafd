"""Lines that are accepted while others do the same, send with their keys, opt out or cancel."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import text

from models.enums import ConsentStatus
from models.errors import HexavoxError
from models.queries.messages import acceptance
from models.queries.messages.acceptance import AcceptedMessage
from models.rules.messages.batches.acceptance import BatchKey
from models.rules.system.failures import TransientError
from models.session import Database
from tests.api.integrator import CONSENT, Integrator
from tests.batches.accepting.harness import Batches, number, sms
from tests.batches.accepting.twins import World, make_twin
from tests.factories import make_owner, new_message, try_accept
from tests.ledger.laws import check_laws


async def persist(batches: Batches, batch: BatchKey, *, page: int) -> None:
    """Accept every line; repeat what another transaction overtook, as Temporal does."""
    acceptance = batches.acceptance(page=page)
    while True:
        try:
            if (await acceptance.accept_page(batch)).decided:
                return
        except (TransientError, HexavoxError):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("page", [1, 7, 100])
async def test_several_workers_that_accept_one_batch_decide_each_line_once(
    batches: Batches, database: Database, page: int
) -> None:
    owner = await make_owner(database, sms_limit=30, credits=20)
    lines = [sms(number(place)) for place in range(60)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    await asyncio.gather(*(persist(batches, batch, page=page) for _ in range(4)))
    row = await batches.row(batch)
    assert (row.accepted, row.refused, row.next_line) == (50, 10, 61)
    assert await batches.codes(batch) == [None] * 50 + ["INSUFFICIENT_CREDITS"] * 10
    await check_laws(database, owner, [(0, 30)])


async def test_batches_of_one_merchant_share_its_funds(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database, sms_limit=25, credits=20)
    lines = [sms(number(place)) for place in range(30)]
    stored = [
        await batches.store(owner.tenant_id, lines, merchant=owner.merchant, key=f"b{n}")
        for n in range(3)
    ]
    await asyncio.gather(*(persist(batches, batch, page=4) for batch in stored))
    rows = [await batches.row(batch) for batch in stored]
    assert sum(row.accepted for row in rows) == 45
    assert sum(row.refused for row in rows) == 45
    await check_laws(database, owner, [(0, 25)])


async def test_a_single_send_with_the_key_of_a_line_is_one_action_with_it(
    harness: None, batches: Batches, client: httpx.AsyncClient, database: Database
) -> None:
    gym = await make_twin(database, client, World())
    lines = [sms(number(place)) for place in range(40)]
    batch = await batches.store(gym.tenant_id, lines)

    async def send(place: int) -> httpx.Response:
        await asyncio.sleep(place * 0.002)
        body = {**lines[place], "merchantId": "gym-a"}
        return await gym.post("/messages/sms", body, key=f"b/{place + 1}")

    answers, _ = await asyncio.gather(
        asyncio.gather(*(send(place) for place in range(40))), persist(batches, batch, page=6)
    )
    assert {answer.status_code for answer in answers} == {200}
    messages = await batches.messages(gym.tenant_id)
    shown = {str(message.public_id): message.id for message in messages}
    assert len(messages) == 40
    assert await batches.codes(batch) == [None] * 40
    decided = await batches.decided(batch)
    assert [shown[answer.json()["messageId"]] for answer in answers] == [
        line.message_id for line in decided
    ]


async def test_another_merchants_message_with_the_key_of_a_line_that_commits_meanwhile(
    batches: Batches, database: Database
) -> None:
    """The locks of another merchant's funds do not serialize the two; the unique index does."""
    owner = await make_owner(database)
    other = await make_owner(database)
    lines = [sms(number(place)) for place in range(3)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    async with database.transaction() as db:  # a merchant of the same tenant
        merchant = await db.scalar(
            text(
                "INSERT INTO merchant (tenant_id, external_id, display_name, active, sms_limit,"
                " voice_minutes_limit, email_limit, timezone, created_at, updated_at)"
                " SELECT :t, 'second', 'B', TRUE, 9, 9, 9, timezone, now(), now() FROM merchant"
                " WHERE tenant_id = :o RETURNING id"
            ),
            {"t": owner.tenant_id, "o": other.tenant_id},
        )
        await db.execute(
            text(
                "INSERT INTO credit_account (tenant_id, merchant_id, channel, delivery_mode,"
                " available, held) VALUES (:t, :m, 'SMS', 'SIMULATOR', 0, 0)"
            ),
            {"t": owner.tenant_id, "m": merchant},
        )
    single = replace(new_message(owner, key="b/2"), merchant_id=merchant)
    async with database.transaction() as db:
        assert isinstance(await acceptance.accept(db, single), AcceptedMessage)
        accepting = asyncio.create_task(batches.accept_all(batch))
        await asyncio.sleep(0.3)
        assert not accepting.done()
    await accepting
    assert await batches.codes(batch) == [None, "IDEMPOTENCY_KEY_REUSED", None]
    assert len(await batches.messages(owner.tenant_id)) == 3
    await check_laws(database, owner, [(0, 1000)])


async def test_lines_behind_an_opt_out_are_refused(
    harness: None, batches: Batches, client: httpx.AsyncClient, database: Database
) -> None:
    gym = await make_twin(database, client, World())
    lines = [sms(CONSENT["contact"]) for _ in range(60)]
    batch = await batches.store(gym.tenant_id, lines)

    async def opt_out(gym: Integrator) -> int:
        await asyncio.sleep(0.05)
        said = await gym.post("/consents", {**CONSENT, "status": ConsentStatus.OPT_OUT})
        assert said.status_code == 200
        return int((await batches.row(batch)).next_line)

    next_line, _ = await asyncio.gather(opt_out(gym), persist(batches, batch, page=2))
    codes = await batches.codes(batch)
    accepted = codes.count(None)
    assert codes == [None] * accepted + ["CONSENT_OPTED_OUT"] * (60 - accepted)
    assert accepted <= next_line + 1  # a page that was being decided at that time


async def test_sends_of_the_same_merchant_and_a_batch_move_the_funds_one_after_another(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database, sms_limit=20, credits=15)
    lines = [sms(number(place)) for place in range(30)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    singles = [try_accept(database, new_message(owner, units=2)) for _ in range(12)]
    *outcomes, _ = await asyncio.gather(*singles, persist(batches, batch, page=3))
    await check_laws(database, owner, [(0, 20)])
    by_single = 2 * sum(isinstance(outcome, AcceptedMessage) for outcome in outcomes)
    assert (await batches.row(batch)).accepted + by_single in (34, 35)
