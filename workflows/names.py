"""Names that Temporal stores: workflow ids, task queues, search attributes, priorities.

Row ids in them are public ids. Only tenants, which operators create, appear by row id: in
`HexavoxTenant` and in workflow ids that have another public id.

A registered name is never changed; a new one is added beside it.
"""

from typing import Final

from temporalio.common import SearchAttributeKey

from models.enums import Channel, MessageType
from models.rules.messages import priorities
from models.rules.messages.operations import UPGRADE
from models.rules.workflow_ids import keyed_workflow_id

MESSAGES: Final = "messages"
BATCHES: Final = "batches"
MONEY: Final = "money"
HOUSEKEEPING: Final = "housekeeping"
REGISTRATION: Final = "registration"
WEBHOOKS: Final = "webhooks"

TENANT: Final = SearchAttributeKey.for_int("HexavoxTenant")
MERCHANT: Final = SearchAttributeKey.for_keyword("HexavoxMerchant")
CHANNEL: Final = SearchAttributeKey.for_keyword("HexavoxChannel")
MESSAGE: Final = SearchAttributeKey.for_int("HexavoxMessageId")
PAYMENT: Final = SearchAttributeKey.for_int("HexavoxPaymentId")
OUTCOME: Final = SearchAttributeKey.for_keyword("HexavoxOutcome")
IDEMPOTENCY_KEY: Final = SearchAttributeKey.for_keyword("HexavoxIdempotencyKey")

SEARCH_ATTRIBUTES: Final = (TENANT, MERCHANT, CHANNEL, MESSAGE, PAYMENT, OUTCOME, IDEMPOTENCY_KEY)

SWEEPER_ID: Final = "sweeper"
CLOSE_DAYS_ID: Final = "close-days"
"""Id of the schedule, and prefix of its workflow ids, which end with a time."""
WATCHER_ID: Final = "watcher"


def provider_queue(account: str) -> str:
    """Return the task queue for calls to an account whose fast path is full."""
    return f"provider-{account}"


def sender_queue_id(tenant_id: int, sender: int, channel: Channel) -> str:
    """Return the workflow id of a sender's queue; at most one such workflow runs at a time.

    `sender` is the public id of its number.
    """
    return f"sender-queue/{tenant_id}/{sender}/{channel}"


def deliver_webhooks_id(tenant_id: int, endpoint: int) -> str:
    """Return the workflow id of an endpoint; at most one such workflow runs at a time.

    `endpoint` is its public id.
    """
    return f"deliver-webhooks/{tenant_id}/{endpoint}"


def registration_id(workflow: str, tenant_id: int, public_id: int) -> str:
    """Return the workflow id of a registration; at most one such workflow runs at a time."""
    return f"{workflow}/{tenant_id}/{public_id}"


def provision_id(tenant_id: int, user: int, version: int) -> str:
    """Return the workflow id that writes one version of a SIP user to its directory.

    `user` is the public id of its credential.
    """
    return f"provision-voice/{tenant_id}/{user}/{version}"


def priority_of(message_type: MessageType) -> int:
    """Return the priority key of a message type; 1 is the highest priority."""
    return priorities.priority_of(message_type)


def upgrade_workflow_id(
    tenant: int, scope: str, idempotency_key: str | None, public_id: int
) -> str:
    """Return the workflow id of a purchase; retries with the same key get the same id.

    `tenant` is the public id of the tenant.
    """
    return keyed_workflow_id(UPGRADE, tenant, scope, idempotency_key, public_id)
