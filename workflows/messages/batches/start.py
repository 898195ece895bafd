"""Starts the workflow of a batch, for the API and the sweeper.

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

from models.rules.messages.batches.identity import BatchStart
from models.rules.waits import SendWaits
from workflows import names, policies
from workflows.messages.batches.batch_workflow import SendBatch
from workflows.messages.batches.types import BatchInput


async def start_batch(
    client: Client,
    batch: BatchStart,
    waits: SendWaits,
    *,
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
    canceled: bool = False,
) -> bool:
    """Start a batch's workflow unless it runs; False if it has already ended. Idempotent.

    Args:
        client: of the Temporal server.
        batch: the batch.
        waits: of its messages.
        reuse: whether one that has ended is started again; it reads in the row what is left to do.
        canceled: the batch was canceled. A running workflow is signaled, so that it cannot end
            before it has seen that; one that has ended is started again.
    """
    try:
        await client.start_workflow(
            SendBatch.run,
            BatchInput(
                tenant_id=batch.tenant_id,
                batch_id=batch.batch_id,
                public_id=batch.public_id,
                merchant_id=batch.merchant_id,
                waits=waits,
            ),
            id=batch.workflow_id,
            task_queue=names.BATCHES,
            task_timeout=policies.TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE if canceled else reuse,
            start_signal=SendBatch.batch_canceled.__name__ if canceled else None,
            search_attributes=_search_attributes(batch),
            static_summary=f"batch {batch.public_id} of {batch.total} by {batch.channel} for "
            f"{batch.merchant}",
            priority=Priority(fairness_key=f"{batch.tenant_id}.{batch.merchant_id}"),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


def _search_attributes(batch: BatchStart) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[int] | SearchAttributePair[str]] = [
        SearchAttributePair(names.TENANT, batch.tenant_id),
        SearchAttributePair(names.CHANNEL, str(batch.channel)),
        SearchAttributePair(names.MERCHANT, batch.merchant),
    ]
    if batch.idempotency_key is not None:
        pairs.append(SearchAttributePair(names.IDEMPOTENCY_KEY, batch.idempotency_key))
    return TypedSearchAttributes(pairs)
