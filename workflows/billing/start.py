"""Starts and signals the workflow of a purchase of credits, for the API and the sweeper.

Not workflow code: it calls the Temporal server through the given client.
"""

from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from models.enums import Channel, PaymentStatus
from models.rules.waits import PaymentWaits
from workflows import names, policies
from workflows.billing.types import UpgradeInput
from workflows.billing.workflow import Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeStart:
    """Data of a purchase that is passed to Temporal: ids, enum values and times only."""

    tenant_id: int
    tenant_public_id: int
    payment_id: int
    public_id: int
    merchant: str
    channel: Channel
    scope: str
    idempotency_key: str | None
    accepted_at: datetime

    @property
    def workflow_id(self) -> str:
        """The workflow id; every retry of this purchase gets the same one."""
        return names.upgrade_workflow_id(
            self.tenant_public_id, self.scope, self.idempotency_key, self.public_id
        )


async def start_upgrade(
    client: Client,
    upgrade: UpgradeStart,
    waits: PaymentWaits,
    *,
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
    reported: bool = False,
) -> bool:
    """Start a purchase's workflow; False if it has already completed. Idempotent by workflow id.

    Args:
        reported: the row may be newer than what a running workflow knows, so that one is signaled.
    """
    try:
        await client.start_workflow(
            Upgrade.run,
            UpgradeInput(
                tenant_id=upgrade.tenant_id,
                payment_id=upgrade.payment_id,
                accepted_at=upgrade.accepted_at,
                waits=waits,
                public_id=upgrade.public_id,
            ),
            id=upgrade.workflow_id,
            task_queue=names.MONEY,
            task_timeout=policies.TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=reuse,
            search_attributes=_search_attributes(upgrade),
            static_summary=f"{upgrade.channel} credits for {upgrade.merchant}, "
            f"payment {upgrade.public_id}",
            start_signal=Upgrade.payment_reported.__name__ if reported else None,
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


async def wake_upgrade(client: Client, workflow_id: str) -> bool:
    """Signal a purchase's workflow that its row has changed; False if it is not running."""
    handle: WorkflowHandle[Upgrade, PaymentStatus] = client.get_workflow_handle(workflow_id)
    try:
        await handle.signal(Upgrade.payment_reported)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


def _search_attributes(upgrade: UpgradeStart) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[int] | SearchAttributePair[str]] = [
        SearchAttributePair(names.TENANT, upgrade.tenant_id),
        SearchAttributePair(names.MERCHANT, upgrade.merchant),
        SearchAttributePair(names.CHANNEL, str(upgrade.channel)),
        SearchAttributePair(names.PAYMENT, upgrade.public_id),
    ]
    if upgrade.idempotency_key is not None:
        pairs.append(SearchAttributePair(names.IDEMPOTENCY_KEY, upgrade.idempotency_key))
    return TypedSearchAttributes(pairs)
