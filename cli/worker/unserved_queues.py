"""Warns of task queues that no worker polls, where several fleets share them.

Work in such a queue waits without any error: no process knows that it has to fail.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workflows.worker_registry import BY_QUEUE

log = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 60.0
_SILENT_AFTER: Final = timedelta(minutes=2)
"""A poll lasts up to a minute, and the server knows when it began."""


async def warn_of_unserved_queues(
    client: Client, queues: Callable[[], Iterable[str]], *, every: float = _EVERY_SECONDS
) -> None:
    """Log a warning each minute while one of these queues is not polled; runs until cancelled.

    The first look is a minute after the start, because fleets do not start at the same moment.
    """
    while True:
        await asyncio.sleep(every)
        try:
            unserved = await find_unserved_queues(client, queues())
        except RPCError:  # the server is unreachable, which is logged elsewhere
            continue
        if unserved:
            log.warning("no worker serves a task queue", extra={"queues": unserved})


async def find_unserved_queues(client: Client, queues: Iterable[str]) -> list[str]:
    """Return those of these queues that no worker has polled in the last two minutes."""
    since = datetime.now(UTC) - _SILENT_AFTER
    return [queue for queue in sorted(queues) if not await _is_polled(client, queue, since)]


async def _is_polled(client: Client, queue: str, since: datetime) -> bool:
    kind = (
        TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
        if queue in BY_QUEUE
        else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY  # of an account
    )
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
    )
    return any(poller.last_access_time.ToDatetime(tzinfo=UTC) >= since for poller in answer.pollers)
