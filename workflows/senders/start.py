"""Starts the workflow that grants the slots of a rate-limited sender, for dispatch and sweeper.

Not workflow code: it calls the Temporal server through the given client.
"""

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from workflows import names, policies
from workflows.senders.types import SenderQueueStep
from workflows.senders.workflow import SenderQueue


async def start_sender_queue(
    client: Client, queue: SenderQueueStep, *, message_queued: bool = False
) -> None:
    """Start the workflow of a sender's queue unless it is running.

    Args:
        message_queued: the queue was empty before, so the workflow may be about to end. The signal
            keeps it running, or starts it again.
    """
    await client.start_workflow(
        SenderQueue.run,
        queue,
        id=names.sender_queue_id(queue.tenant_id, queue.sender_public_id, queue.channel),
        task_queue=names.HOUSEKEEPING,
        task_timeout=policies.TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="grants slots of a rate-limited sender",
        start_signal=SenderQueue.message_queued.__name__ if message_queued else None,
    )
