"""Workflows that a worker runs, by task queue."""

from typing import Any, Final

from workflows import names
from workflows.billing.close_days import CloseDays
from workflows.billing.workflow import Upgrade
from workflows.messages.batches.batch_workflow import SendBatch
from workflows.messages.batches.chunk_workflow import SendChunk
from workflows.messages.workflow import SendMessage
from workflows.registration.workflow import (
    AssignNumber,
    BuyNumber,
    RegisterBrand,
    RegisterCampaign,
    ReturnNumber,
)
from workflows.senders.workflow import SenderQueue
from workflows.system.sweeper import Sweeper
from workflows.system.watcher import Watcher
from workflows.voice.workflow import ProvisionVoice
from workflows.webhooks.workflow import DeliverWebhooks

BY_QUEUE: Final[dict[str, list[type[Any]]]] = {
    names.MESSAGES: [SendMessage],
    names.BATCHES: [SendBatch, SendChunk],
    names.MONEY: [Upgrade],
    names.HOUSEKEEPING: [Sweeper, SenderQueue, CloseDays, Watcher],
    names.REGISTRATION: [
        RegisterBrand,
        RegisterCampaign,
        BuyNumber,
        AssignNumber,
        ReturnNumber,
        ProvisionVoice,
    ],
    names.WEBHOOKS: [DeliverWebhooks],
}

WORKFLOWS: Final[list[type[Any]]] = [
    workflow for workflows in BY_QUEUE.values() for workflow in workflows
]
