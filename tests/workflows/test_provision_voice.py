"""A directory is called with back-off until it accepts the user."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from tests.fakes import fake
from tests.workflows.harness import Harness, HarnessFactory
from workflows import steps
from workflows.voice.types import Provisioned, ProvisionInput, ProvisionResult, ProvisionStep
from workflows.voice.workflow import TURNS, ProvisionVoice

USER = ProvisionInput(tenant_id=3, credential_id=7, public_id=70, version=2)
STORED = ProvisionResult(outcome=Provisioned.STORED)
DECLINED = ProvisionResult(outcome=Provisioned.DECLINED)

Telling = WorkflowHandle[ProvisionVoice, None]


async def start(set_up: Harness) -> Telling:
    return await set_up.client.start_workflow(
        ProvisionVoice.run, USER, id=f"{set_up.queue}-provision", task_queue=set_up.queue
    )


async def waited(handle: WorkflowHandle[Any, Any]) -> list[timedelta]:
    return [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for event in (await handle.fetch_history()).events
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
    ]


async def test_it_is_over_when_the_directory_knows_the_user(harness: HarnessFactory) -> None:
    told, asked = fake(steps.provision_voice, STORED)
    async with harness(told) as set_up, asyncio.timeout(60):
        handle = await start(set_up)
        await handle.result()
        assert await waited(handle) == []
    assert asked == [ProvisionStep(tenant_id=3, credential_id=7)]


async def test_while_it_declines_it_is_retried_with_back_off(
    harness: HarnessFactory,
) -> None:
    told, _ = fake(steps.provision_voice, *[DECLINED] * 8, STORED)
    async with harness(told) as set_up, asyncio.timeout(60):
        handle = await start(set_up)
        await handle.result()
        minutes = [gap / timedelta(minutes=1) for gap in await waited(handle)]
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_one_that_declines_for_days_is_retried_in_runs_of_bounded_length(
    harness: HarnessFactory,
) -> None:
    enough = ApplicationError("enough", non_retryable=True)
    told, asked = fake(steps.provision_voice, *[DECLINED] * TURNS, enough)
    async with harness(told) as set_up, asyncio.timeout(60):
        handle = await start(set_up)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        first = set_up.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        assert len(await waited(first)) == TURNS
    assert len(asked) == TURNS + 1
