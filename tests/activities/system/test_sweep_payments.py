"""Sweeping payments: an unfinished payment gets its workflow, whatever failed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from activities.system.sweep_payments import PaymentSweep
from models.enums import ChargeState, PaymentStatus
from models.queries.system.sweep_payments import StalledPayment
from models.rules.billing.payments import PaymentAction
from models.rules.waits import PaymentWaits
from models.session import Database
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.factories import Owner, unique
from tests.fakes import fake
from workflows import names, steps
from workflows.billing.types import PaymentProgress
from workflows.billing.workflow import Upgrade

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
GRACE = timedelta(seconds=30)
WAITS = PaymentWaits(
    news_wait=SECOND, poll_first=SECOND, poll_longest=SECOND, retry_every=SECOND, horizon=HOUR
)


@pytest.fixture
def harness(database: Database, owner: Owner) -> PaymentHarness:
    return PaymentHarness(database, owner, OwnGateway())


@pytest.fixture
def sweep(database: Database, client: Client) -> PaymentSweep:
    return PaymentSweep(database, client, WAITS, grace=GRACE)


async def mine(harness: PaymentHarness, sweep: PaymentSweep) -> list[StalledPayment]:
    """Return only those of the test's own tenant."""
    found = await sweep.take(datetime.now(UTC), 10_000)
    return [payment for payment in found if payment.tenant_id == harness.owner.tenant_id]


async def test_what_is_silent_is_taken_once_and_left_alone_for_a_while(
    harness: PaymentHarness, sweep: PaymentSweep
) -> None:
    key = unique("key")
    payment_id = await harness.order(key=key)
    over = await harness.order()
    await harness.carry(over)
    [taken] = await mine(harness, sweep)
    row = await harness.row(payment_id)
    assert taken == StalledPayment(
        tenant_id=harness.owner.tenant_id,
        tenant_public_id=harness.owner.tenant_public_id,
        payment_id=payment_id,
        public_id=row.public_id,
        merchant=harness.owner.merchant,
        channel=row.channel,
        scope="",
        idempotency_key=key,
        accepted_at=row.accepted_at,
        told=False,
    )
    assert await mine(harness, sweep) == []
    assert row.sweep_at - datetime.now(UTC) > GRACE - 5 * SECOND


async def test_a_payment_without_a_workflow_gets_one(
    harness: PaymentHarness, sweep: PaymentSweep, client: Client
) -> None:
    await harness.order()
    [payment] = await mine(harness, sweep)
    assert await sweep.resume(payment)
    assert await sweep.resume(payment), "one that runs is left to it"
    id = names.upgrade_workflow_id(harness.owner.tenant_public_id, "", None, payment.public_id)
    described = await client.get_workflow_handle(id).describe()
    assert described.workflow_type == "upgrade"
    assert described.status is WorkflowExecutionStatus.RUNNING
    events = (await client.get_workflow_handle(id).fetch_history()).events
    signaled = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    assert [event for event in events if event.event_type == signaled] == []


async def test_a_running_workflow_is_signalled_that_its_row_changed(
    harness: PaymentHarness, sweep: PaymentSweep, client: Client
) -> None:
    harness.gateway.state = ChargeState.PROCESSING
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.tell(payment_id, ChargeState.SUCCEEDED)
    [payment] = await mine(harness, sweep)
    assert payment.told
    await sweep.resume(payment)
    id = names.upgrade_workflow_id(harness.owner.tenant_public_id, "", None, payment.public_id)
    events = (await client.get_workflow_handle(id).fetch_history()).events
    signaled = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    assert [event.event_type for event in events].count(signaled) == 1


async def test_a_payment_that_money_opened_again_starts_anew_though_its_workflow_had_ended(
    harness: PaymentHarness, sweep: PaymentSweep, client: Client
) -> None:
    await harness.order()
    [payment] = await mine(harness, sweep)
    over = PaymentProgress(status=PaymentStatus.FAILED, next_action=PaymentAction.NONE)
    charge, _ = fake(steps.charge, over, repeat_last=True)
    worker = Worker(client, task_queue=names.MONEY, workflows=[Upgrade], activities=[charge])
    handle = client.get_workflow_handle(
        names.upgrade_workflow_id(harness.owner.tenant_public_id, "", None, payment.public_id)
    )
    async with worker:
        await sweep.resume(payment)
        assert await handle.result() == PaymentStatus.FAILED
        first = (await handle.describe()).run_id
        assert await sweep.resume(replace(payment, told=True))
        assert await handle.result() == PaymentStatus.FAILED
    assert (await handle.describe()).run_id != first
