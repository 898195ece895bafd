"""Sweeping batches: one with open work gets its workflow, whatever failed."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from activities.system.sweep_batches import BatchSweep
from models.enums import Channel
from models.queries.system.sweep_batches import StalledBatch
from models.rules.messages.batches.acceptance import BatchKey
from models.rules.messages.batches.identity import BatchStart
from models.session import Database
from tests.api.doubles import Clock
from tests.batches.accepting.harness import Batches, number, sms
from tests.factories import Owner, unique
from tests.fakes import fake
from tests.workflows.harness import WAITS
from workflows import names, steps
from workflows.messages.batches.batch_workflow import SendBatch
from workflows.messages.batches.start import start_batch
from workflows.messages.batches.types import AcceptLinesResult, CancelMembersResult

GRACE = timedelta(seconds=30)
LONG_AGO = timedelta(hours=2)


@pytest.fixture
def batches(database: Database) -> Batches:
    """Batches that are due for sweeping."""
    return Batches(database, Clock(now=datetime.now(UTC) - LONG_AGO))


@pytest.fixture
def sweep(database: Database, client: Client) -> BatchSweep:
    return BatchSweep(database, client, WAITS, grace=GRACE)


async def store(batches: Batches, owner: Owner, key: str | None = None) -> BatchKey:
    lines = [sms(number(1)), sms(number(2))]
    return await batches.store(owner.tenant_id, lines, merchant=owner.merchant, key=key)


async def mine(sweep: BatchSweep, owner: Owner) -> list[StalledBatch]:
    """Return only those of the test's own tenant."""
    found = await sweep.take(datetime.now(UTC), 10_000)
    return [batch for batch in found if batch.start.tenant_id == owner.tenant_id]


async def test_an_undecided_batch_is_taken_once_and_left_alone_for_a_while(
    batches: Batches, owner: Owner, sweep: BatchSweep
) -> None:
    key = unique("key")
    batch = await store(batches, owner, key)
    [taken] = await mine(sweep, owner)
    assert taken == StalledBatch(
        start=BatchStart(
            tenant_id=owner.tenant_id,
            tenant_public_id=owner.tenant_public_id,
            batch_id=batch.batch_id,
            public_id=batch.public_id,
            merchant_id=owner.merchant_id,
            merchant=owner.merchant,
            channel=Channel.SMS,
            total=2,
            scope="",
            idempotency_key=key,
        ),
        canceled=False,
    )
    assert await mine(sweep, owner) == []
    row = await batches.row(batch)
    assert row.sweep_at - datetime.now(UTC) == pytest.approx(
        timedelta(minutes=10), abs=timedelta(seconds=30)
    )


async def test_a_decided_batch_is_left_alone_until_it_is_canceled(
    batches: Batches, owner: Owner, sweep: BatchSweep
) -> None:
    batch = await store(batches, owner)
    await batches.accept_all(batch)
    assert await mine(sweep, owner) == []
    await batches.cancel(batch)
    [taken] = await mine(sweep, owner)
    assert taken.canceled


async def test_a_batch_without_a_workflow_gets_one(
    batches: Batches, owner: Owner, sweep: BatchSweep, client: Client
) -> None:
    await store(batches, owner)
    [batch] = await mine(sweep, owner)
    assert await sweep.resume(batch)
    assert await sweep.resume(batch), "one that runs is left to it"
    handle = client.get_workflow_handle(batch.start.workflow_id)
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    events = [event.event_type async for event in handle.fetch_history_events()]
    assert events.count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) == 0
    await handle.terminate()


async def test_a_canceled_batch_whose_workflow_has_ended_gets_another(
    batches: Batches, owner: Owner, client: Client
) -> None:
    await store(batches, owner)
    sweep = BatchSweep(batches.database, client, WAITS, grace=GRACE)
    [batch] = await mine(sweep, owner)
    assert await sweep.resume(batch)
    accept, accepted = fake(
        steps.accept_lines,
        AcceptLinesResult(accepted=2, decided=True),
        AcceptLinesResult(decided=True, canceled=True),
        AcceptLinesResult(decided=True, canceled=True),
        repeat_last=True,
    )
    cancel, canceled = fake(
        steps.cancel_members, CancelMembersResult(canceled=0, more=False), repeat_last=True
    )
    handle = client.get_workflow_handle(batch.start.workflow_id)
    async with Worker(
        client, task_queue=names.BATCHES, workflows=[SendBatch], activities=[accept, cancel]
    ):
        await handle.result()
        assert (len(accepted), len(canceled)) == (1, 0)
        assert not await start_batch(client, batch.start, WAITS)
        assert await start_batch(client, batch.start, WAITS, canceled=True)
        await client.get_workflow_handle(batch.start.workflow_id).result()
    assert len(canceled) >= 1
