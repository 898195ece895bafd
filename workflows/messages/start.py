"""Starts and signals the workflow of a send, for the API and the sweeper.

Not workflow code: it calls the Temporal server through the given client.
"""

from datetime import timedelta
from enum import StrEnum

from temporalio.client import Client, WorkflowHandle
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from models.enums import MessageStatus
from models.rules.messages.identity import SendStart
from models.rules.waits import SendWaits
from workflows import names, policies
from workflows.messages.types import SendInput
from workflows.messages.workflow import SendMessage


async def start_send(
    client: Client,
    send: SendStart,
    waits: SendWaits,
    *,
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
    delay: timedelta | None = None,
) -> bool:
    """Start a send's workflow; False if it has already completed. Idempotent by workflow id.

    Its first task waits for `delay`.
    """
    try:
        await client.start_workflow(
            SendMessage.run,
            SendInput(
                tenant_id=send.tenant_id,
                message_id=send.message_id,
                waits=waits,
                merchant_id=send.merchant_id,
                public_id=send.public_id,
            ),
            id=send.workflow_id,
            task_queue=names.MESSAGES,
            task_timeout=policies.TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=reuse,
            start_delay=delay,
            search_attributes=_search_attributes(send),
            static_summary=f"{send.type} by {send.channel} for "
            f"{send.merchant or 'the tenant itself'}, message {send.public_id}",
            priority=Priority(
                priority_key=names.priority_of(send.type),
                fairness_key=f"{send.tenant_id}.{send.merchant_id}",
            ),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


class SendSignal(StrEnum):
    """Why a send is signaled; the row has the details."""

    REPORTED = "delivery_reported"
    """A report is stored."""
    ROW_CHANGED = "row_changed"
    """The message was canceled, or a slot was granted."""


async def wake_send(client: Client, workflow_id: str, kind: SendSignal) -> bool:
    """Signal a send's workflow; False if it is not running."""
    handle: WorkflowHandle[SendMessage, MessageStatus] = client.get_workflow_handle(workflow_id)
    signal = (
        SendMessage.delivery_reported if kind is SendSignal.REPORTED else SendMessage.row_changed
    )
    try:
        await handle.signal(signal)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


def _search_attributes(send: SendStart) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[int] | SearchAttributePair[str]] = [
        SearchAttributePair(names.TENANT, send.tenant_id),
        SearchAttributePair(names.CHANNEL, str(send.channel)),
        SearchAttributePair(names.MESSAGE, send.public_id),
    ]
    if send.merchant:
        pairs.append(SearchAttributePair(names.MERCHANT, send.merchant))
    if send.idempotency_key is not None:
        pairs.append(SearchAttributePair(names.IDEMPOTENCY_KEY, send.idempotency_key))
    return TypedSearchAttributes(pairs)
