"""Starts the workflow of a chunk, for the workflow of its batch and the sweeper.

Not workflow code: it calls the Temporal server through the given client.
"""

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from models.rules.messages.batches.identity import ChunkStart
from models.rules.waits import SendWaits
from workflows import names, policies
from workflows.messages.batches.chunk_types import ChunkInput
from workflows.messages.batches.chunk_workflow import SendChunk


async def start_chunk(
    client: Client,
    chunk: ChunkStart,
    waits: SendWaits,
    *,
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
) -> bool:
    """Start a chunk's workflow; False if it has already completed. Idempotent by workflow id."""
    try:
        await client.start_workflow(
            SendChunk.run,
            ChunkInput(
                tenant_id=chunk.tenant_id,
                chunk_id=chunk.chunk_id,
                due_at=chunk.due_at,
                waits=waits,
                merchant_id=chunk.merchant_id,
                public_id=chunk.public_id,
            ),
            id=chunk.workflow_id,
            task_queue=names.BATCHES,
            task_timeout=policies.TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=reuse,
            search_attributes=_search_attributes(chunk),
            static_summary=f"{chunk.members} × {chunk.type} by {chunk.channel} for "
            f"{chunk.merchant}, chunk {chunk.public_id}",
            priority=Priority(
                priority_key=names.priority_of(chunk.type),
                fairness_key=f"{chunk.tenant_id}.{chunk.merchant_id}",
            ),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


def _search_attributes(chunk: ChunkStart) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[int] | SearchAttributePair[str]] = [
        SearchAttributePair(names.TENANT, chunk.tenant_id),
        SearchAttributePair(names.MERCHANT, chunk.merchant),
        SearchAttributePair(names.CHANNEL, str(chunk.channel)),
    ]
    return TypedSearchAttributes(pairs)
