"""A batch on a real Temporal server, with the worker's own composition; chunks send nothing."""

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.worker import Worker

from cli.worker.batches import BatchParts, assemble_batches
from models.queries.messages.batches.identity import find_start
from models.rules.messages.batches.acceptance import BatchKey
from models.rules.messages.batches.identity import BatchStart
from models.session import Database
from models.settings import Settings
from providers.routing import Routes
from tests.api.doubles import Clock
from tests.batches.accepting.harness import Batches, number, sms
from tests.batches.accepting.twins import soon
from tests.factories import make_owner
from tests.fakes import fake
from tests.ledger.laws import check_laws
from tests.workflows.harness import WAITS
from workflows import names, steps
from workflows.messages.batches.chunk_types import ChunkResult
from workflows.messages.batches.start import start_batch
from workflows.worker_registry import BY_QUEUE


@pytest.fixture
def batches(database: Database) -> Batches:
    return Batches(database, Clock())


@pytest.fixture
def parts(database: Database, client: Client) -> BatchParts:
    settings = Settings(
        database_url=SecretStr("postgresql://nowhere"),
        server_secret=SecretStr("only-for-tests-too"),
        lag_allowed="P1D",
    )
    return assemble_batches(settings, database, client, Routes([], {}))


async def run(client: Client, start: BatchStart, parts: BatchParts, *, canceled: bool) -> list[int]:
    """Run a batch's workflow to its end; return the ids of the chunks that were started."""
    nothing = ChunkResult(unsent=0, awaited=0, settleable=0)
    dispatch, dispatched = fake(steps.dispatch_chunk, nothing, repeat_last=True)
    settle, _ = fake(steps.settle_chunk, nothing, repeat_last=True)
    worker = Worker(
        client,
        task_queue=names.BATCHES,
        workflows=BY_QUEUE[names.BATCHES],
        activities=[*parts.activities, dispatch, settle],
    )
    async with worker, asyncio.timeout(60):
        assert await start_batch(client, start, WAITS, canceled=canceled)
        await client.get_workflow_handle(start.workflow_id).result()
        await asyncio.sleep(0.5)
    return sorted(step.chunk_id for step in dispatched if step.tenant_id == start.tenant_id)


async def start_of(batches: Batches, batch: BatchKey) -> BatchStart:
    async with batches.database.read() as db:
        return await find_start(db, batch.tenant_id, batch.batch_id)


async def test_its_lines_become_messages_in_chunks_and_a_cancellation_ends_them(
    batches: Batches, database: Database, client: Client, parts: BatchParts
) -> None:
    owner = await make_owner(database, sms_limit=650, credits=20)
    lines = [sms(number(place)) for place in range(700)]
    lines[5]["sendAt"] = soon(datetime.now(UTC), 5)
    batch = await batches.store(owner.tenant_id, lines, merchant=owner.merchant)
    start = await start_of(batches, batch)
    started = await run(client, start, parts, canceled=False)
    assert await batches.codes(batch) == [None] * 670 + ["INSUFFICIENT_CREDITS"] * 30
    messages = await batches.messages(owner.tenant_id)
    assert started == sorted({m.chunk_id for m in messages if m.chunk_id is not None})
    assert [m.chunk_id is None for m in messages].count(True) == 1
    await batches.cancel(batch)
    assert await run(client, start, parts, canceled=True) == []
    assert {m.status for m in await batches.messages(owner.tenant_id)} == {"CANCELED"}
    assert (await batches.row(batch)).sweep_at is None
    books = await check_laws(database, owner, [(0, 650)])
    assert (books.account.available, books.account.held) == (20, 0)
