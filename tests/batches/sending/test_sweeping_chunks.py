"""Sweeping: a chunk whose members are open gets its workflow, and they get none of their own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.system.sweep_chunks import ChunkSweep
from activities.system.sweep_messages import Sweeping
from cli.dev.postgres import EmbeddedPostgres
from models.enums import ReportStatus
from models.queries.messages.acceptance import find_known
from models.queries.system.sweep_messages import take_stalled, take_unstarted
from models.rules.messages.identity import SendKey
from models.session import Database
from providers.routing import Routes
from tests.activities.doubles import Scripted
from tests.batches.sending.harness import Chunk, ChunkHarness
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner, unique
from tests.stack import async_url, make_database
from tests.workflows.harness import WAITS
from workflows.messages.batches.start_chunk import start_chunk
from workflows.system.sweeper_types import SweepResult

GRACE = timedelta(seconds=30)
EVERY = timedelta(seconds=7)


@pytest.fixture
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database of its own: sweeping processes all tenants."""
    url = make_database(postgres, unique("sweep").replace("-", "_"))
    database = Database(async_url(url), pool_size=10, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


@pytest.fixture
async def harness(alone: Database) -> ChunkHarness:
    return ChunkHarness(alone, await make_owner(alone), Scripted())


def chunk_sweep(harness: ChunkHarness, client: Client) -> ChunkSweep:
    return ChunkSweep(harness.database, client, WAITS, grace=GRACE)


async def sweep(harness: ChunkHarness, client: Client) -> SweepResult:
    sweeping = Sweeping(
        harness.database,
        client,
        WAITS,
        Routes([], {}),
        every=EVERY,
        grace=GRACE,
        tasks=[chunk_sweep(harness, client)],
    )
    return await ActivityEnvironment().run(sweeping.sweep)


async def make_due(harness: ChunkHarness) -> None:
    await harness.database_write("UPDATE message SET sweep_at = now() WHERE tenant_id = :t")


async def runs(client: Client, harness: ChunkHarness, chunk: Chunk) -> bool:
    workflow_id = await workflow_id_of(harness, chunk)
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return False
    return described.status is WorkflowExecutionStatus.RUNNING


async def workflow_id_of(harness: ChunkHarness, chunk: Chunk) -> str:
    rows = await harness.rows("SELECT id, public_id FROM message_chunk WHERE tenant_id = :t")
    [public_id] = [row.public_id for row in rows if row.id == chunk.chunk_id]
    return f"send-chunk/{harness.owner.tenant_public_id}/{public_id}"


async def test_a_chunk_with_stalled_members_is_started_once(
    harness: ChunkHarness, client: Client
) -> None:
    chunk, not_due = await harness.chunk(5), await harness.chunk(2)
    await make_due(harness)
    await harness.database_write(
        "UPDATE message SET sweep_at = now() + interval '1 hour' WHERE tenant_id = :t AND id = :m",
        not_due.members[0],
    )
    await harness.database_write(
        "UPDATE message SET sweep_at = now() + interval '1 hour' WHERE tenant_id = :t AND id = :m",
        not_due.members[1],
    )
    assert await sweep(harness, client) == SweepResult(started=1, applied=0, next_in=EVERY)
    assert await runs(client, harness, chunk)
    assert not await runs(client, harness, not_due)
    row = await harness.message(chunk.members[0])
    assert row.sweep_at > datetime.now(UTC) + GRACE / 2
    assert (await sweep(harness, client)).started == 0


async def test_as_many_chunks_are_taken_as_rows_of_other_tasks(
    harness: ChunkHarness, client: Client
) -> None:
    chunks = [await harness.chunk(3) for _ in range(4)]
    await make_due(harness)
    taken = await chunk_sweep(harness, client).take(datetime.now(UTC) + timedelta(seconds=1), 6)
    assert sorted(start.chunk_id for start in taken) == [chunk.chunk_id for chunk in chunks]
    assert (
        await chunk_sweep(harness, client).take(datetime.now(UTC) + timedelta(seconds=1), 6) == []
    )


async def test_no_more_chunks_are_taken_than_can_be_started_at_once(
    harness: ChunkHarness, client: Client
) -> None:
    chunks = [await harness.chunk(1) for _ in range(7)]
    await make_due(harness)
    now = datetime.now(UTC) + timedelta(seconds=1)
    sweep_of_chunks = chunk_sweep(harness, client)
    parts = [await sweep_of_chunks.take(now, 3) for _ in range(4)]
    assert [len(part) for part in parts] == [3, 3, 1, 0]
    taken = [start.chunk_id for part in parts for start in part]
    assert sorted(taken) == [chunk.chunk_id for chunk in chunks]


async def test_members_are_not_started_one_by_one(harness: ChunkHarness, client: Client) -> None:
    await harness.chunk(3)
    alone = await harness.accept()
    await make_due(harness)
    now = datetime.now(UTC) + timedelta(seconds=1)
    for take in (take_stalled, take_unstarted):
        await make_due(harness)
        async with harness.database.transaction() as db:
            taken = await take(db, now=now, grace=GRACE, longest=GRACE, most=100)
        assert [send.message_id for send in taken] == [alone]


async def test_a_chunk_whose_workflow_has_ended_is_started_again(
    harness: ChunkHarness, client: Client
) -> None:
    chunk = await harness.chunk(2)
    await make_due(harness)
    assert (await sweep(harness, client)).started == 1
    await client.get_workflow_handle(await workflow_id_of(harness, chunk)).terminate()
    await make_due(harness)
    assert (await sweep(harness, client)).started == 1
    assert await runs(client, harness, chunk)


async def test_a_member_that_left_is_started_by_itself(
    harness: ChunkHarness, client: Client
) -> None:
    chunk = await harness.chunk(2)
    await harness.end(chunk, leave=True)
    async with harness.database.transaction() as db:
        taken = await take_unstarted(
            db, now=datetime.now(UTC), grace=GRACE, longest=GRACE, most=100
        )
    assert [send.message_id for send in taken] == chunk.members


async def test_an_open_report_of_a_member_signals_nothing_and_stays(
    harness: ChunkHarness, client: Client
) -> None:
    chunk = await harness.chunk(1)
    await harness.send(chunk)
    await harness.tell(
        chunk.members[0], ReportStatus.DELIVERED, received=datetime.now(UTC) - timedelta(hours=1)
    )
    await make_due(harness)
    assert await sweep(harness, client) == SweepResult(started=1, applied=0, next_in=EVERY)
    assert await harness.open_receipts(chunk.members[0]) == 1
    assert (await harness.end(chunk)).ended == {"DELIVERED": 1}


async def test_a_replayed_request_for_a_member_names_its_chunk(harness: ChunkHarness) -> None:
    message_id = await harness.accept(key="again")
    send_key = SendKey(
        tenant_id=harness.owner.tenant_id,
        operation="send-sms",
        scope="",
        idempotency_key="again",
    )
    chunk = await harness.chunk_of([message_id])
    async with harness.database.read() as db:
        known = await find_known(db, send_key)
    assert known is not None
    assert known.send.chunk_id == chunk.chunk_id
    await harness.end(chunk, leave=True)
    async with harness.database.read() as db:
        known = await find_known(db, send_key)
    assert known is not None
    assert known.send.chunk_id is None


async def test_a_chunk_is_started_once_by_its_id(harness: ChunkHarness, client: Client) -> None:
    chunk = await harness.chunk(2)
    await make_due(harness)
    [start] = await chunk_sweep(harness, client).take(datetime.now(UTC) + GRACE, 100)
    assert (start.members, start.chunk_id) == (2, chunk.chunk_id)
    assert [await start_chunk(client, start, WAITS) for _ in range(2)] == [True, True]
    handle = client.get_workflow_handle(start.workflow_id)
    described = await handle.describe()
    assert described.workflow_type == "send-chunk"
    assert described.task_queue == "batches"
    await handle.terminate()
    assert await start_chunk(client, start, WAITS) is False
