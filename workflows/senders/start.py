"""How a pump is started, the same way by whoever finds a line: a dispatch or the sweeper.

Not workflow code: it talks to the server through the client it is given.
"""

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from workflows import names
from workflows.messages.types import SenderQueueStep
from workflows.senders.workflow import SenderQueue

_TASK_TIMEOUT = timedelta(seconds=5)
"""A killed worker holds a line up at most this long."""


async def start_sender_queue(
    client: Client, line: SenderQueueStep, *, message_queued: bool = False
) -> None:
    """Make sure a line has its pump; a running one goes on.

    Args:
        joined: the line was empty before. Then the pump may be about to end, and a signal keeps
            it, or starts the next; without it nothing would be left in a running one's history.
    """
    await client.start_workflow(
        SenderQueue.run,
        line,
        id=names.sender_queue_id(line.tenant_id, line.sender_id, line.channel),
        task_queue=names.HOUSEKEEPING,
        task_timeout=_TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="lets in who waits for a sender's turn",
        start_signal=SenderQueue.message_queued.__name__ if message_queued else None,
    )
