"""More processes for a stack: two APIs that integrators call, and four workers in all.

`api` stays at the public URL, where vendors report. Two workers serve all task queues, the others
are fleets of their own.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from tests.e2e.harness import Harness, Integrator
from tests.stack import Stack
from workflows.worker_registry import BY_QUEUE

APIS: Final = ("api-2", "api-3")

PROVIDERS: Final = ("provider-first", "provider-second", "provider-simulator")
EVERY: Final = frozenset({*BY_QUEUE, *PROVIDERS})
FLEETS: Final = {
    "worker": EVERY,
    "worker-2": EVERY,
    "worker-3": frozenset({"messages", *PROVIDERS}),
    "worker-4": frozenset({"housekeeping", "webhooks"}),
}
"""Task queues of each worker."""

_OPTIONS: Final = {
    "worker-2": (),
    "worker-3": ("--queue", "messages", "--queue", "providers"),
    "worker-4": ("--queue", "housekeeping", "--queue", "webhooks"),
}

_PATIENCE: Final = 100
"""Seconds; all of them start at the same moment."""

RATE: Final = 20
BURST: Final = 40
_LIMITS: Final = {"HEXAVOX_RATE_LIMIT": str(RATE), "HEXAVOX_RATE_BURST": str(BURST)}


@asynccontextmanager
async def scaled_out(stack: Stack) -> AsyncIterator[None]:
    """Run the additional processes, all started at the same moment."""
    for name in APIS:
        stack.start(name, wait=False, settings=_LIMITS)
    for name, options in _OPTIONS.items():
        stack.start(name, *options, wait=False)
    names = [*APIS, *_OPTIONS]
    try:
        await asyncio.gather(
            *(asyncio.to_thread(stack.await_ready, name, seconds=_PATIENCE) for name in names)
        )
        yield
    finally:
        await asyncio.gather(*(asyncio.to_thread(stack.stop, name) for name in names))


def at_each_api(integrator: Integrator) -> list[Integrator]:
    """Return the integrator as it calls each of the APIs."""
    return [replace(integrator, api=name) for name in APIS]


async def polled_queues(harness: Harness, client: Client) -> dict[str, frozenset[str]]:
    """Return the task queues that each running worker polls, as the Temporal server sees it."""
    polled: dict[str, set[str]] = {name: set() for name in FLEETS}
    workers = {
        f"{harness.stack.processes[name].pid}@{socket.gethostname()}": name for name in FLEETS
    }
    for queue in EVERY:
        kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
            )
        )
        for poller in answer.pollers:
            if poller.identity in workers:
                polled[workers[poller.identity]].add(queue)
    return {name: frozenset(queues) for name, queues in polled.items()}
