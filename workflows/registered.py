"""Every workflow a worker serves, by task queue."""

from typing import Any, Final

from workflows import names
from workflows.closing import CloseDays
from workflows.housekeeping import Sweeper
from workflows.provision_voice import ProvisionVoice
from workflows.pump import Pump
from workflows.registration import (
    AssignNumber,
    BuyNumber,
    RegisterBrand,
    RegisterCampaign,
    ReturnNumber,
)
from workflows.send_message import SendMessage
from workflows.upgrade import Upgrade
from workflows.watching import Watcher

BY_QUEUE: Final[dict[str, list[type[Any]]]] = {
    names.MESSAGES: [SendMessage],
    names.MONEY: [Upgrade],
    names.HOUSEKEEPING: [Sweeper, Pump, CloseDays, Watcher],
    names.REGISTRATION: [
        RegisterBrand,
        RegisterCampaign,
        BuyNumber,
        AssignNumber,
        ReturnNumber,
        ProvisionVoice,
    ],
}

WORKFLOWS: Final[list[type[Any]]] = [
    workflow for workflows in BY_QUEUE.values() for workflow in workflows
]
