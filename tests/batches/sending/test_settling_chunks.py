"""Settling a chunk: the members end as single sends do, each once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.enums import Channel, ErrorCode, MessageStatus, ReportStatus
from models.session import Database
from tests.activities.doubles import Scripted
from tests.batches.sending.harness import Chunk, ChunkHarness
from tests.factories import Owner, add_card, make_owner
from tests.mailing import AllChannels, accept, single
from workflows.messages.types import Ending

R, S = ReportStatus, MessageStatus


async def sent(
    database: Database, owner: Owner, members: int, **wanted: Any
) -> tuple[ChunkHarness, Chunk]:
    """Return a chunk whose members a provider has accepted."""
    harness = ChunkHarness(database, owner, Scripted())
    chunk = await harness.chunk(members, **wanted)
    await harness.send(chunk)
    return harness, chunk


async def test_reported_members_end_and_the_others_stay(database: Database, owner: Owner) -> None:
    harness, chunk = await sent(database, owner, 6, units=2)
    await harness.tell_all(chunk.members[:3])
    await harness.tell_all(chunk.members[3:4], R.UNDELIVERED, error_code=ErrorCode.UNREACHABLE)
    result = await harness.end(chunk)
    assert (result.ended, result.awaited) == ({"DELIVERED": 3, "UNDELIVERED": 1}, 2)
    assert [status for status, _ in await harness.states(chunk)] == [
        *[S.DELIVERED] * 3,
        S.UNDELIVERED,
        *[S.SENT] * 2,
    ]
    assert await harness.remaining(chunk) == chunk.members[4:]
    assert await harness.units() == (4, 8)
    undelivered = await harness.message(chunk.members[3])
    assert (undelivered.error_code, undelivered.billed_units) == (ErrorCode.UNREACHABLE, 2)


async def test_a_report_that_is_not_final_ends_nothing(database: Database, owner: Owner) -> None:
    harness, chunk = await sent(database, owner, 2)
    await harness.tell_all(chunk.members, R.SENT)
    result = await harness.end(chunk)
    assert (result.ended, result.awaited, result.left) == ({}, 2, 0)


async def test_members_end_as_single_sends_do(database: Database) -> None:
    """Same rows in every table, with allowance that runs out in the middle and credits."""
    found = []
    for together in (False, True):
        owner = await make_owner(database, sms_limit=25, credits=100)
        await add_card(
            database, owner.tenant_id, provider="one", unit_cost="0.0079", carrier_fee="0.003"
        )
        harness = ChunkHarness(database, owner, Scripted())
        members = [
            await harness.accept(to=f"+1813555{number:04}", units=1 + number % 3)
            for number in range(24)
        ]
        if together:
            chunk = await harness.chunk_of(members)
            await harness.send(chunk)
        else:
            for message_id in members:
                await harness.dispatch(message_id)
        await harness.tell_all(members[:8])
        await harness.tell_all(members[8:16], price="0.02")
        await harness.tell_all(members[16:], R.UNDELIVERED, error_code=ErrorCode.UNREACHABLE)
        if together:
            result = await harness.end(chunk)
            assert result.ended == {"DELIVERED": 16, "UNDELIVERED": 8}
        else:
            for message_id in members:
                await harness.settle(message_id, Ending.REPORTED)
        assert await harness.broken_laws() == []
        found.append(await _rows(harness, members))
    single, chunked = found
    for table, rows in single.items():
        assert chunked[table] == rows, table


async def test_calls_end_as_single_calls_do(database: Database) -> None:
    """A call uses fewer minutes than are held: the rest returns to the allowance and credits."""
    found = []
    for together in (False, True):
        owner = await make_owner(database, credits=100)
        harness = ChunkHarness(database, owner, AllChannels())
        for change in (
            "UPDATE merchant SET voice_minutes_limit = 7 WHERE tenant_id = :t",
            "UPDATE payment SET channel = 'VOICE' WHERE tenant_id = :t",
            "UPDATE ledger_entry SET channel = 'VOICE' WHERE tenant_id = :t",
            "UPDATE credit_account SET available = CASE channel WHEN 'VOICE' THEN 100 ELSE 0 END"
            " WHERE tenant_id = :t",
        ):
            await harness.database_write(change)
        members = []
        for number in range(9):
            call = single(Channel.VOICE, owner, f"+1813555{number:04}")
            members.append(await accept(database, replace(call, units=3)))
        if together:
            chunk = await harness.chunk_of(members)
            await harness.send(chunk)
        else:
            for message_id in members:
                await harness.dispatch(message_id)
        await harness.tell_all(members[:5], duration_seconds=60)
        await harness.tell_all(members[5:], R.UNDELIVERED, error_code=ErrorCode.UNREACHABLE)
        if together:
            assert (await harness.end(chunk)).ended == {"DELIVERED": 5, "UNDELIVERED": 4}
        else:
            for message_id in members:
                await harness.settle(message_id, Ending.REPORTED)
        assert await harness.broken_laws() == []
        found.append(await _rows(harness, members))
    single_calls, chunked = found
    for table, rows in single_calls.items():
        assert chunked[table] == rows, table


async def _rows(harness: ChunkHarness, members: list[int]) -> dict[str, list[Any]]:
    """Return what the end of the members wrote, without ids and times."""
    place = {message_id: turn for turn, message_id in enumerate(members)}
    columns = {
        "message": "id AS message_id, status, error_code, provider_code, provider, account,"
        " attempts, billed_units, held_allowance, held_credits, ready_at",
        "attempt": "message_id, number, provider, account, state, provider_message_id IS NULL,"
        " error_code, everywhere, provider_code",
        "ledger_entry": "message_id, kind, units, credit_units, month",
        "usage_record": "message_id, channel, provider, units, country, cost_units, cost,"
        " carrier_fee, markup, priced_by, gap, state, price_due_at IS NULL",
        "receipt": "message_id, status, price, applied_at IS NULL",
    }
    found: dict[str, list[Any]] = {}
    for table, wanted in columns.items():
        rows = await harness.rows(f"SELECT {wanted} FROM {table} WHERE tenant_id = :t")
        found[table] = sorted(
            ((place.get(row[0], -1), *row[1:]) for row in rows), key=lambda row: str(row)
        )
    for table, wanted in {
        "allowance_month": "channel, month, used, held, credits_used",
        "credit_account": "channel, available, held",
        "usage_day": "day, channel, messages, units, aws_cost, provider_cost, carrier_fees, markup,"
        " delivered, failed",
        "alert": "type, threshold, count",
    }.items():
        rows = await harness.rows(f"SELECT {wanted} FROM {table} WHERE tenant_id = :t")
        found[table] = sorted((tuple(row) for row in rows), key=str)
    return found


async def test_settling_at_once_and_again_is_settling_once(
    database: Database, owner: Owner
) -> None:
    harness, chunk = await sent(database, owner, 10, units=2)
    await harness.tell_all(chunk.members)
    results = await asyncio.gather(*(harness.end(chunk) for _ in range(5)))
    assert sum(result.ended.get("DELIVERED", 0) for result in results) == 10
    assert (await harness.end(chunk)).ended == {}
    assert await harness.units() == (0, 20)
    assert await harness.broken_laws() == []


async def test_chunks_and_single_sends_of_a_merchant_settle_at_once(
    database: Database,
) -> None:
    owner = await make_owner(database, sms_limit=7, credits=1000)
    harness = ChunkHarness(database, owner, Scripted())
    chunks = [await harness.chunk(15) for _ in range(3)]
    alone = [await harness.accept() for _ in range(15)]
    for chunk in chunks:
        await harness.send(chunk)
    for message_id in alone:
        await harness.dispatch(message_id)
    await harness.tell_all([*alone, *(id for chunk in chunks for id in chunk.members)])
    await asyncio.gather(
        *(harness.end(chunk) for chunk in chunks),
        *(harness.settle(message_id, Ending.REPORTED) for message_id in alone),
    )
    assert await harness.broken_laws() == []


async def test_members_of_two_months_end(database: Database, owner: Owner) -> None:
    harness = ChunkHarness(database, owner, Scripted())
    month_ago = datetime.now(UTC).replace(day=1) - timedelta(days=3)
    held_back = timedelta(days=40)
    members = [
        await harness.accept(to="+18135550001", accepted_at=month_ago, due_in=held_back),
        await harness.accept(to="+18135550002"),
    ]
    await harness.database_write("UPDATE message SET due_at = now() WHERE tenant_id = :t")
    chunk = await harness.chunk_of(members)
    await harness.send(chunk)
    await harness.tell_all(members)
    assert (await harness.end(chunk)).ended == {"DELIVERED": 2}
    assert await harness.broken_laws() == []


async def test_a_silent_account_ends_its_members_sent(database: Database, owner: Owner) -> None:
    harness = ChunkHarness(database, owner, Scripted(reports_delivery=False))
    chunk = await harness.chunk(3)
    assert (await harness.send(chunk)).settleable == 3
    assert (await harness.end(chunk)).ended == {"SENT": 3}
    assert await harness.remaining(chunk) == []


async def test_the_rest_leaves_at_the_first_poll(database: Database, owner: Owner) -> None:
    harness, chunk = await sent(database, owner, 4)
    await harness.tell_all(chunk.members[:1])
    result = await harness.end(chunk, leave=True)
    assert (result.ended, result.left, result.awaited) == ({"DELIVERED": 1}, 3, 0)
    assert harness.started_ids == chunk.members[1:]
    assert all(leaver.poll_is_due for leaver in harness.started)
    assert await harness.remaining(chunk) == []
    for message_id in harness.started_ids:
        assert await harness.complete(message_id) is S.DELIVERED
    assert await harness.broken_laws() == []


async def test_a_report_signals_no_workflow_before_its_member_leaves_and_one_after(
    database: Database, owner: Owner
) -> None:
    harness, chunk = await sent(database, owner, 2)
    first, second = chunk.members
    assert not await harness.signals(first, R.SENT)
    await harness.end(chunk, leave=True)
    assert await harness.signals(second, R.SENT)


async def test_no_report_is_lost_while_its_member_leaves(database: Database, owner: Owner) -> None:
    """A report is stored before the member's own workflow starts, or it signals it."""
    harness, chunk = await sent(database, owner, 20)

    async def tell(turn: int, message_id: int) -> bool:
        await asyncio.sleep(turn * 0.001)
        return await harness.signals(message_id, R.DELIVERED)

    _, *signaled = await asyncio.gather(
        harness.end(chunk, leave=True),
        *(tell(turn, message_id) for turn, message_id in enumerate(chunk.members)),
    )
    by_id = dict(zip(chunk.members, signaled, strict=True))
    for message_id in harness.started_ids:
        # What its workflow reads when it starts.
        handed = await harness.dispatch(message_id)
        assert handed.reported or by_id[message_id]


async def test_a_member_without_an_outcome_leaves_when_the_chunk_is_settled(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(2)
    await harness.crash(chunk.members[0], deadline_in=timedelta(0), provider="one")
    result = await harness.end(chunk)
    assert (result.left, result.unsent) == (1, 1)
    assert harness.started_ids == chunk.members[:1]


async def test_unsent_members_leave_with_the_rest(database: Database, owner: Owner) -> None:
    harness = ChunkHarness(database, owner, Scripted())
    chunk = await harness.chunk(2)
    assert (await harness.end(chunk, leave=True)).left == 2
    for message_id in harness.started_ids:
        row = await harness.message(message_id)
        assert row.ready_at is not None
        assert row.sweep_at <= datetime.now(UTC)


async def test_a_member_that_cannot_be_settled_leaves_alone(
    database: Database, owner: Owner
) -> None:
    harness, chunk = await sent(database, owner, 3)
    await harness.tell_all(chunk.members)
    # A month without a row: nothing is held there.
    await harness.database_write(
        "UPDATE message SET month = '2001-01' WHERE tenant_id = :t AND id = :m", chunk.members[1]
    )
    result = await harness.end(chunk)
    assert (result.ended, harness.started_ids) == ({"DELIVERED": 2}, [chunk.members[1]])


@pytest.mark.parametrize("days", [0, 1])
async def test_a_closed_day_gets_nothing_more(database: Database, owner: Owner, days: int) -> None:
    harness, chunk = await sent(database, owner, 3)
    async with database.transaction() as db:
        await db.execute(
            text(
                "UPDATE attempt SET requested_at = requested_at - CAST(:days AS interval)"
                " WHERE tenant_id = :t"
            ),
            {"days": timedelta(days=days), "t": owner.tenant_id},
        )
        await db.execute(
            text(
                "INSERT INTO usage_closing (tenant_id, day, closed_at)"
                " VALUES (:t, CAST(now() AT TIME ZONE 'UTC' AS date) - 1, now())"
            ),
            {"t": owner.tenant_id},
        )
    await harness.tell_all(chunk.members)
    assert (await harness.end(chunk)).ended == {"DELIVERED": 3}
    rows = await harness.rows("SELECT day, messages FROM usage_day WHERE tenant_id = :t")
    assert [(row.day, row.messages) for row in rows] == [(datetime.now(UTC).date(), 3)]
