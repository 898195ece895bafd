"""Starts registration workflows, for the API and the sweeper.

Not workflow code: it calls the Temporal server through the given client.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from models.rules.registration.vocabulary import RegistrationKind, RegistrationOperation
from models.rules.waits import RegistrationWaits
from workflows import names, policies
from workflows.registration.registration_base import RegistrationBase
from workflows.registration.types import RegistrationInput
from workflows.registration.workflow import (
    AssignNumber,
    BuyNumber,
    RegisterBrand,
    RegisterCampaign,
    ReturnNumber,
)

_WORKFLOWS: Final[Mapping[RegistrationOperation, tuple[str, Any]]] = {
    RegistrationOperation.REGISTER_BRAND: ("register-brand", RegisterBrand),
    RegistrationOperation.REGISTER_CAMPAIGN: ("register-campaign", RegisterCampaign),
    RegistrationOperation.BUY: ("buy-number", BuyNumber),
    RegistrationOperation.ASSIGN: ("assign-number", AssignNumber),
    RegistrationOperation.UNASSIGN: ("return-number", ReturnNumber),
    RegistrationOperation.RELEASE: ("return-number", ReturnNumber),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationStart:
    """Data of a registration that is passed to Temporal: ids and enum values only."""

    tenant_id: int
    kind: RegistrationKind
    row_id: int
    public_id: int
    registry_operation: RegistrationOperation
    merchant: str

    @property
    def workflow_id(self) -> str:
        """The workflow id, which makes starting idempotent."""
        return names.registration_id(
            _WORKFLOWS[self.registry_operation][0], self.tenant_id, self.public_id
        )


async def start_registration(
    client: Client, registration: RegistrationStart, waits: RegistrationWaits, *, fresh: bool
) -> None:
    """Start a row's workflow unless it is running.

    Args:
        fresh: the row was just submitted. The signal keeps a workflow that is about to end
            running, or starts another one. Without it, a running workflow gets no signal.
    """
    await client.start_workflow(
        _WORKFLOWS[registration.registry_operation][1].run,
        RegistrationInput(
            tenant_id=registration.tenant_id,
            kind=registration.kind,
            row_id=registration.row_id,
            waits=waits,
            public_id=registration.public_id,
        ),
        id=registration.workflow_id,
        task_queue=names.REGISTRATION,
        task_timeout=policies.TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(names.TENANT, registration.tenant_id),
                SearchAttributePair(names.MERCHANT, registration.merchant),
            ]
        ),
        static_summary=f"{registration.kind} {registration.public_id} of {registration.merchant}",
        start_signal=RegistrationBase.changed.__name__ if fresh else None,
    )


async def wake_registration(client: Client, workflow_id: str) -> bool:
    """Signal a registration's workflow; False if it is not running."""
    handle: WorkflowHandle[Any, str] = client.get_workflow_handle(workflow_id)
    try:
        await handle.signal(RegistrationBase.changed.__name__)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True
