"""Wakes the workflow that delivers the webhooks of an endpoint.

Not workflow code: it calls the Temporal server through the given client.
"""

from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)

from workflows import names, policies
from workflows.webhooks.types import WebhookEndpointInput
from workflows.webhooks.workflow import DeliverWebhooks


async def wake_webhooks(client: Client, endpoint: WebhookEndpointInput) -> None:
    """Signal an endpoint's workflow, and start it if it does not run."""
    await client.start_workflow(
        DeliverWebhooks.run,
        endpoint,
        id=names.deliver_webhooks_id(endpoint.tenant_id, endpoint.public_id),
        task_queue=names.WEBHOOKS,
        task_timeout=policies.TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=DeliverWebhooks.event_recorded.__name__,
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(names.TENANT, endpoint.tenant_id)]
        ),
        static_summary=f"delivers webhooks to endpoint {endpoint.public_id}",
        priority=Priority(fairness_key=str(endpoint.tenant_id)),
    )
