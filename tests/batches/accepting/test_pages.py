"""The lines of a batch are decided page by page, each once, and become messages in chunks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from api.http.auth import Caller
from api.services.messages.drafts import Draft
from api.services.messages.permission import Permission, Permissions, UnsubscribeLinks
from api.services.messages.routed_senders import RoutedSenders
from models.enums import Channel
from models.errors import HexavoxError
from models.rules.messages.batches.acceptance import DecidedPage
from models.session import Database
from providers.routing import Routes
from tests.batches.accepting.harness import GRACE, Batches, number, sms
from tests.batches.accepting.twins import soon
from tests.factories import make_owner
from tests.ledger.laws import check_laws


async def test_pages_follow_one_another_until_no_line_is_left(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    lines = [sms(number(place)) for place in range(250)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    pages = await batches.accept_all(batch)
    assert [page.accepted for page in pages] == [100, 100, 50]
    assert [page.decided for page in pages] == [False, False, True]
    row = await batches.row(batch)
    assert (row.accepted, row.refused, row.next_line) == (250, 0, 251)
    assert (row.decided_at, row.sweep_at) == (batches.clock.now, None)
    messages = await batches.messages(owner.tenant_id)
    decided = await batches.decided(batch)
    assert [line.message_id for line in decided] == [message.id for message in messages]
    assert [m.to_contact for m in messages] == [line["to"] for line in lines]
    assert [m.idempotency_key for m in messages] == [f"b/{n}" for n in range(1, 251)]
    assert {(m.batch_id, m.status, m.sweep_at) for m in messages} == {
        (batch.batch_id, "QUEUED", batches.clock.now + GRACE)
    }
    chunks = [chunk for page in pages for chunk in page.chunks]
    assert [chunk.members for chunk in chunks] == [100, 100, 50]
    assert [m.chunk_id for m in messages] == [c.chunk_id for c in chunks for _ in range(c.members)]
    await check_laws(database, owner, [(0, 1000)])


async def test_a_page_of_a_decided_batch_changes_nothing(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    batch = await batches.store(owner.tenant_id, [sms(number(1))], merchant=owner.merchant)
    await batches.accept_all(batch)
    before = await batches.row(batch)
    batches.clock.now += timedelta(minutes=5)
    again = await batches.acceptance().accept_page(batch)
    assert again == DecidedPage(decided=True)
    assert await batches.row(batch) == before
    assert len(await batches.messages(owner.tenant_id)) == 1


async def test_a_batch_of_another_database_has_no_lines(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    batch = await batches.store(owner.tenant_id, [sms(number(1))], merchant=owner.merchant)
    stranger = replace(batch, public_id=batch.public_id + 1)
    assert await batches.acceptance().accept_page(stranger) == DecidedPage(decided=True)
    assert (await batches.row(batch)).next_line == 1


async def test_chunks_have_one_type_and_one_time(batches: Batches, database: Database) -> None:
    owner = await make_owner(database)
    batches.clock.now = now = datetime(2026, 4, 16, 16, tzinfo=UTC)
    lines = [
        *(sms(number(n)) for n in range(3)),
        *(sms(number(n), type="OTP") for n in range(10, 12)),
        *(sms(number(n), sendAt=soon(now, 1)) for n in range(20, 25)),
        *(sms(number(n), sendAt=soon(now, 2)) for n in range(30, 34)),
    ]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    (page,) = await batches.accept_all(batch)
    assert {(c.type, c.due_at, c.members) for c in page.chunks} == {
        ("TRANSACTIONAL", now, 3),
        ("OTP", now, 2),
        ("TRANSACTIONAL", now + timedelta(hours=1), 5),
    }
    messages = await batches.messages(owner.tenant_id)
    by_id = {chunk.chunk_id: chunk for chunk in page.chunks}
    for message in messages:
        chunk = by_id.get(message.chunk_id)
        if chunk is None:  # too few for a chunk: the sweeper starts them at once
            due_at = now + timedelta(hours=2)
            assert (message.due_at, message.ready_at, message.sweep_at) == (due_at, due_at, now)
        else:
            assert (message.type, message.due_at) == (chunk.type, chunk.due_at)
            assert message.sweep_at == now + GRACE
            assert message.ready_at == message.due_at + timedelta(hours=1)  # not late before
    assert sum(message.chunk_id is None for message in messages) == 4


@pytest.mark.parametrize(("allowance", "credits"), [(130, 20), (0, 150), (150, 0), (149, 1)])
async def test_when_funds_end_exactly_the_rest_is_refused(
    batches: Batches, database: Database, allowance: int, credits: int
) -> None:
    owner = await make_owner(database, sms_limit=allowance, credits=credits)
    lines = [sms(number(place)) for place in range(250)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    await batches.accept_all(batch)
    assert await batches.codes(batch) == [None] * 150 + ["INSUFFICIENT_CREDITS"] * 100
    assert (await batches.decided(batch))[-1].detail == "Units needed: 1, available: 0."
    books = await check_laws(database, owner, [(0, allowance)])
    assert (books.account.available, books.account.held) == (0, credits)


async def test_a_dear_line_is_refused_and_a_cheap_one_behind_it_accepted(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database, sms_limit=2, credits=0)
    texts = ["x" * 400, "x", "x" * 200, "x", "x"]
    lines = [sms(number(place), message=words) for place, words in enumerate(texts)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    await batches.accept_all(batch)
    dear = "INSUFFICIENT_CREDITS"
    assert await batches.codes(batch) == [dear, None, dear, None, dear]


async def test_a_refusal_for_held_credits_raises_an_alert(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database, sms_limit=0, credits=10)
    lines = [sms(number(place)) for place in range(12)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    await batches.accept_all(batch)
    async with database.read() as db:
        types = await db.scalars(
            text("SELECT type FROM alert WHERE tenant_id = :t"), {"t": owner.tenant_id}
        )
        assert list(types) == ["LOW_CREDITS"]


async def test_no_more_lines_are_accepted_while_too_many_messages_are_open(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    lines = [sms(number(place)) for place in range(30)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    acceptance = batches.acceptance(page=10, limit=15)
    pages = [await acceptance.accept_page(batch) for _ in range(3)]
    assert [page.accepted for page in pages] == [10, 10, 0]
    assert pages[2] == DecidedPage(retry_after=10)
    assert (await batches.row(batch)).next_line == 21
    await batches.accept_all(batch)
    assert await batches.codes(batch) == [None] * 30


class PermissionsWithABug(Permissions):
    """Fails for one text, as a bug would."""

    async def obtain_each(
        self, caller: Caller, drafts: Sequence[Draft], wanted_at: Sequence[datetime]
    ) -> list[Permission | HexavoxError]:
        """Fail if one of the drafts has the text."""
        if any(draft.body == "fatal" for draft in drafts):
            raise ValueError("a bug")
        return await super().obtain_each(caller, drafts, wanted_at)


async def test_a_line_that_cannot_be_processed_is_refused_and_delays_no_other(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    lines = [sms(number(place), message="fatal" if place == 4 else "x") for place in range(9)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    links = UnsubscribeLinks("http://api.test", "only-for-tests-too")
    permissions = PermissionsWithABug(database, links, RoutedSenders(Routes([], {})))
    await batches.accept_all(batch, batches.acceptance(permissions=permissions, page=5))
    assert await batches.codes(batch) == [None] * 4 + ["INTERNAL_ERROR"] + [None] * 4
    assert not any(line.kept for line in await batches.decided(batch))
    await check_laws(database, owner, [(0, 1000)])


async def test_keys_of_lines_without_a_batch_key_begin_with_what_is_stored(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    lines = [sms(number(1)), sms(number(2), key="own"), sms(number(3))]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant, key=None)
    await batches.accept_all(batch)
    keys = [message.idempotency_key for message in await batches.messages(owner.tenant_id)]
    assert keys == ["unkeyed/1", "own", "unkeyed/3"]


async def test_the_batch_of_a_merchants_key_has_its_scope(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    scope = str(owner.merchant_public_id)
    stored = [
        await batches.store(
            owner.tenant_id, [sms(number(1))], merchant=owner.merchant, key="b", scope=of
        )
        for of in (scope, "")
    ]
    for batch in stored:
        await batches.accept_all(batch)
    assert [m.scope for m in await batches.messages(owner.tenant_id)] == [scope, ""]


async def test_a_line_may_not_name_a_merchant(batches: Batches, database: Database) -> None:
    owner = await make_owner(database)
    lines = [sms(number(1), merchantId=owner.merchant)]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    await batches.accept_all(batch)
    (line,) = await batches.decided(batch)
    assert (line.code, line.detail) == (
        "VALIDATION_FAILED",
        "merchantId: is given once, for the whole batch",
    )


async def test_a_line_over_the_limit_of_a_single_send_is_refused(
    batches: Batches, database: Database
) -> None:
    owner = await make_owner(database)
    lines = [sms(number(1), message="x" * 400_000), sms(number(2))]
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    await batches.accept_all(batch)
    assert await batches.codes(batch) == ["PAYLOAD_TOO_LARGE", None]


async def test_a_page_of_long_bodies_has_few_lines(batches: Batches, database: Database) -> None:
    owner = await make_owner(database)
    body = "x" * 250_000
    mail = {"subject": "Hi", "type": "TRANSACTIONAL", "body": body}
    lines = [{**mail, "to": f"a{place}@example.com"} for place in range(6)]
    batch = await batches.store(
        owner.tenant_id, lines, merchant=owner.merchant, channel=Channel.EMAIL
    )
    pages = await batches.accept_all(batch)
    assert [page.accepted for page in pages] == [4, 2]
    assert {message.body for message in await batches.messages(owner.tenant_id)} == {body}
