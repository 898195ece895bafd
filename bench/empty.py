"""The yardstick: a workflow that does nothing, and a worker that serves it."""

import asyncio
import sys
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

QUEUE: Final = "bench-empty"
NOBODYS_QUEUE: Final = "bench-nobody"


@workflow.defn(name="bench-empty")
class Empty:
    """End at once."""

    @workflow.run
    async def run(self) -> None:
        """Do nothing."""


async def serve(address: str) -> None:
    """Serve the empty workflow with the settings that the real worker has."""
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Empty],
        max_concurrent_workflow_tasks=100,
        max_cached_workflows=2000,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
    ):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(sys.argv[1]))
