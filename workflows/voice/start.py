"""Starts the workflow that updates a SIP directory, for the API and the sweeper.

Not workflow code: it calls the Temporal server through the given client.
"""

from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from workflows import names, policies
from workflows.voice.types import ProvisionInput
from workflows.voice.workflow import ProvisionVoice


async def start_provisioning(client: Client, user: ProvisionInput) -> None:
    """Start the workflow of one version of a SIP user unless it is running. Idempotent."""
    await client.start_workflow(
        ProvisionVoice.run,
        user,
        id=names.provision_id(user.tenant_id, user.public_id, user.version),
        task_queue=names.REGISTRATION,
        task_timeout=policies.TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(names.TENANT, user.tenant_id)]
        ),
        static_summary="updates a password in the SIP directory",
    )
