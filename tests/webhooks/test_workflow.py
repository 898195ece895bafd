"""The workflow of an endpoint on a server that skips time, with the real step or faked ones."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from models.enums import WebhookDeliveryStatus
from models.session import Database
from tests.factories import Owner
from tests.fakes import fake
from tests.webhooks.harness import SECOND, EndpointHarness, make_harness
from tests.webhooks.receiver import Receiver, Reply, receiving
from tests.workflows.conftest import harness as workflow_harness
from tests.workflows.conftest import skipping
from tests.workflows.harness import Harness, HarnessFactory
from workflows import steps
from workflows.webhooks.types import DeliverResult, DeliverStep, WebhookEndpointInput
from workflows.webhooks.workflow import TURNS, DeliverWebhooks

__all__ = ["skipping", "workflow_harness"]

ENDPOINT = WebhookEndpointInput(tenant_id=3, endpoint_id=9, public_id=90)
IDLE = DeliverResult()
Handle = WorkflowHandle[DeliverWebhooks, None]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


async def start(
    environment: WorkflowEnvironment, harness: Harness, endpoint: WebhookEndpointInput = ENDPOINT
) -> Handle:
    """Start the workflow as the poller does: with its signal."""
    return await environment.client.start_workflow(
        DeliverWebhooks.run,
        endpoint,
        id=f"deliver-{uuid4()}",
        task_queue=harness.queue,
        start_signal=DeliverWebhooks.event_recorded.__name__,
    )


async def run(environment: WorkflowEnvironment, harness: Harness) -> Handle:
    """Run the workflow to its end, skipping all waits."""
    handle = await start(environment, harness)
    async with asyncio.timeout(60):
        await handle.result()
    return handle


async def took(handle: Handle) -> timedelta:
    """Return the duration of the workflow, by the server's clock."""
    events = (await handle.fetch_history()).events
    return events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()


async def test_it_ends_when_nothing_is_pending(
    workflow_harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    deliver, turns = fake(steps.deliver_webhooks, DeliverResult(succeeded=3))
    async with workflow_harness(deliver) as harness:
        await run(skipping, harness)
    assert [(t.tenant_id, t.endpoint_id, t.public_id) for t in turns] == [(3, 9, 90)]


async def test_it_waits_for_the_next_retry(
    workflow_harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    later = DeliverResult(failed=1, next_in=timedelta(hours=2))
    deliver, turns = fake(steps.deliver_webhooks, later, IDLE)
    async with workflow_harness(deliver) as harness:
        handle = await run(skipping, harness)
        assert timedelta(hours=2) <= await took(handle) < timedelta(hours=2, minutes=1)
    assert turns[1].at - turns[0].at >= timedelta(hours=2)


async def test_an_event_ends_the_wait_for_a_retry_but_not_a_pause(
    workflow_harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    for pausing in (False, True):
        waits = DeliverResult(failed=1, next_in=timedelta(hours=2), pausing=pausing)
        deliver, _ = fake(steps.deliver_webhooks, waits, IDLE)
        async with workflow_harness(deliver) as harness:
            handle = await start(skipping, harness)
            await _timer_is_set(handle)
            await handle.signal(DeliverWebhooks.event_recorded)
            async with asyncio.timeout(30):
                await handle.result()
            assert (await took(handle) >= timedelta(hours=2)) is pausing


async def _timer_is_set(handle: Handle) -> None:
    async with asyncio.timeout(15):
        while True:
            events = (await handle.fetch_history()).events
            if any(e.event_type == EventType.EVENT_TYPE_TIMER_STARTED for e in events):
                return
            await asyncio.sleep(0.02)


async def test_an_event_recorded_while_it_ends_keeps_it_running(
    workflow_harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    async def event_comes(_: DeliverStep) -> DeliverResult:
        if len(turns) == 1:
            workflow_id = activity.info().workflow_id
            assert workflow_id is not None
            handle = skipping.client.get_workflow_handle(workflow_id)
            await handle.signal(DeliverWebhooks.event_recorded)
        return IDLE

    deliver, turns = fake(steps.deliver_webhooks, event_comes, repeat_last=True)
    async with workflow_harness(deliver) as harness:
        await run(skipping, harness)
    assert len(turns) == 2


async def test_it_begins_a_new_run_before_its_history_grows_long(
    workflow_harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    pause = DeliverResult(failed=1, next_in=30 * SECOND, pausing=True)
    deliver, turns = fake(steps.deliver_webhooks, *[pause] * TURNS, IDLE)
    async with workflow_harness(deliver) as harness:
        handle = await run(skipping, harness)
        second = (await handle.fetch_history()).events
        started = second[0].workflow_execution_started_event_attributes
        first = skipping.client.get_workflow_handle(
            handle.id, run_id=started.continued_execution_run_id
        )
        history = (await first.fetch_history()).events
    assert len(turns) == TURNS + 1
    assert history[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    assert len(history) < 5_000


async def test_a_receiver_that_is_down_for_hours_gets_every_event_in_order(
    workflow_harness: HarnessFactory,
    skipping: WorkflowEnvironment,
    database: Database,
    owner: Owner,
    receiver: Receiver,
) -> None:
    endpoint = await make_harness(database, owner, receiver.url)
    messages = [await endpoint.message("SENDING", "SENT", "DELIVERED") for _ in range(4)]
    began = await skipping.get_current_time()
    back_at = began + timedelta(hours=6)
    turns: list[DeliverStep] = []

    @activity.defn(name="deliver_webhooks")
    async def deliver(step: DeliverStep) -> DeliverResult:
        turns.append(step)
        is_down = step.at < back_at
        receiver.reply = lambda _: Reply(status=502 if is_down else 200)
        result: DeliverResult = await endpoint.step_body(step)
        return result

    async with workflow_harness(deliver) as harness:
        handle = await start(skipping, harness, _input_of(endpoint))
        async with asyncio.timeout(120):
            await handle.result()
        assert await took(handle) > timedelta(hours=6)
    assert {d.status for d in await endpoint.deliveries()} == {WebhookDeliveryStatus.SUCCEEDED}
    succeeded = [r for r in receiver.requests if r.event["data"]["subject"] in messages]
    for message in messages:
        numbers = [
            r.event["data"]["number"] for r in succeeded if r.event["data"]["subject"] == message
        ]
        assert numbers == sorted(numbers)
        assert set(numbers) == {1, 2, 3}
    assert len(turns) < 150
    alerts = await endpoint.alerts()
    assert [is_open for *_, is_open in alerts] == [False]


def _input_of(endpoint: EndpointHarness) -> WebhookEndpointInput:
    step = endpoint.step()
    names = {field.name for field in dataclasses.fields(WebhookEndpointInput)}
    return WebhookEndpointInput(**{name: getattr(step, name) for name in names})
