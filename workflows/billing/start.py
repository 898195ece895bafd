"""How a purchase of credits is started, the same way by whoever starts it: the API or the sweeper.

Not workflow code: it talks to the server through the client it is given.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

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
from workflows import names
from workflows.billing.types import UpgradeInput
from workflows.billing.workflow import Upgrade

_TASK_TIMEOUT = timedelta(seconds=5)
"""A killed worker costs a purchase at most this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeStart:
    """What Temporal is told about a purchase: ids, words and times only."""

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
        """The id under which every retry of this purchase meets."""
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
    """Start the workflow of a purchase; False if it had run to its end before. Twice is once.

    Args:
        reported: the row tells more than a running workflow may know, so that one is signalled.
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
            task_timeout=_TASK_TIMEOUT,
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
    """Signal a purchase that its row tells more; False if no such workflow is running."""
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
