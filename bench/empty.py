"""The baseline: a workflow that does nothing, and its worker."""

import asyncio
import sys
from datetime import timedelta
from typing import Final
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from workflows import names
from workflows.payloads import data_converter

QUEUE: Final = "bench-empty"
NOBODYS_QUEUE: Final = "bench-nobody"


@workflow.defn(name="bench-empty")
class Empty:
    """Completes at once."""

    @workflow.run
    async def run(self) -> None:
        """Do nothing."""


@workflow.defn(name="bench-empty-alike")
class EmptyAlike:
    """Completes at once; it is started as a send is."""

    @workflow.run
    async def run(self) -> None:
        """Do nothing."""


async def execute_alike(client: Client) -> None:
    """Execute it with the start options of a send: attributes, summary, priority."""
    key = uuid4().hex
    await client.execute_workflow(
        EmptyAlike.run,
        id=key,
        task_queue=QUEUE,
        task_timeout=timedelta(seconds=5),
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(names.TENANT, 1),
                SearchAttributePair(names.MERCHANT, "bench"),
                SearchAttributePair(names.CHANNEL, "SMS"),
                SearchAttributePair(names.MESSAGE, 1),
                SearchAttributePair(names.IDEMPOTENCY_KEY, key),
            ]
        ),
        static_summary="OTP by SMS for bench, message 1",
        priority=Priority(priority_key=1, fairness_key="1.1"),
    )


async def serve(address: str) -> None:
    """Run the worker of the empty workflow with the settings of the real worker."""
    client = await Client.connect(address, data_converter=data_converter)
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Empty, EmptyAlike],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=100,
        max_cached_workflows=2000,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
    ):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(sys.argv[1]))
