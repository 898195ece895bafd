"""Paths of the upgrade workflow, to be recorded."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle

from models.enums import Channel, PaymentStatus
from models.rules.waits import PaymentWaits
from tests.fakes import fake
from tests.workflows.harness import until
from tests.workflows.upgrade_harness import (
    FAILED,
    FAILED_BUT_CHARGED,
    GRANTED,
    NEEDS_ACTION,
    NOT_CANCELED,
    NOT_GRANTED,
    REFUND_STUCK,
    REFUNDED,
    TAKEN,
    UNANSWERED,
    UNDER_WAY,
)
from workflows import names, steps
from workflows.billing.start import UpgradeStart, start_upgrade, wake_upgrade
from workflows.billing.workflow import Upgrade
from workflows.worker_registry import WORKFLOWS

_WAITS: Final = PaymentWaits(
    news_wait=timedelta(seconds=0.3),
    poll_first=timedelta(seconds=0.2),
    poll_longest=timedelta(seconds=0.4),
    retry_every=timedelta(seconds=0.2),
    horizon=timedelta(seconds=1),
)

_PATIENT: Final = PaymentWaits(
    news_wait=timedelta(minutes=1),
    poll_first=timedelta(minutes=1),
    poll_longest=timedelta(minutes=1),
    retry_every=timedelta(minutes=1),
    horizon=timedelta(hours=24),
)

_AWAY = ConnectionError("no database")


@dataclass(frozen=True, kw_only=True)
class Script:
    """Answers of the steps; the last ones of `charge` and `await_payment` are repeated.

    `told` sends a signal while the gateway is awaited.
    """

    charge: Sequence[Any] = ()
    await_payment: Sequence[Any] = ()
    cancel_charge: Sequence[Any] = ()
    grant: Sequence[Any] = ()
    refund: Sequence[Any] = ()
    told: bool = False
    ordered_before: timedelta = timedelta(0)


UPGRADES: Final = {
    "paid": Script(charge=[TAKEN], grant=[GRANTED]),
    "declined": Script(charge=[FAILED]),
    "reported": Script(charge=[UNDER_WAY], await_payment=[TAKEN], grant=[GRANTED], told=True),
    "polled": Script(
        charge=[UNDER_WAY], await_payment=[NEEDS_ACTION, _AWAY, TAKEN], grant=[GRANTED]
    ),
    "fails-later": Script(charge=[UNDER_WAY], await_payment=[FAILED], told=True),
    "answer-lost": Script(charge=[UNANSWERED, UNDER_WAY], await_payment=[TAKEN], grant=[GRANTED]),
    "charge-retried": Script(charge=[*[_AWAY] * 4, TAKEN], grant=[_AWAY, GRANTED]),
    "canceled": Script(
        charge=[NEEDS_ACTION], await_payment=[NEEDS_ACTION], cancel_charge=[NOT_CANCELED, FAILED]
    ),
    "canceled-but-paid": Script(
        charge=[UNDER_WAY], await_payment=[UNDER_WAY], cancel_charge=[TAKEN], grant=[GRANTED]
    ),
    "unreachable": Script(charge=[UNANSWERED], cancel_charge=[FAILED]),
    "too-old": Script(cancel_charge=[FAILED], ordered_before=timedelta(hours=1)),
    "refund-stuck": Script(charge=[TAKEN], grant=[NOT_GRANTED], refund=[NOT_GRANTED, REFUND_STUCK]),
    "mismatched": Script(charge=[UNDER_WAY], await_payment=[FAILED_BUT_CHARGED], refund=[REFUNDED]),
    "refunded": Script(charge=[TAKEN], grant=[NOT_GRANTED], refund=[NOT_GRANTED, REFUNDED]),
}
"""Every path of an upgrade. A new branch of the workflow needs a new line here."""

OpenWorker = Callable[..., AbstractAsyncContextManager[Any]]
TimersSet = Callable[[WorkflowHandle[Any, Any], int], Callable[[], Awaitable[bool]]]


async def record_upgrade(
    client: Client, path: str, worker: OpenWorker, timers_set: TimersSet
) -> dict[str, Any]:
    """Run one path and return its history."""
    script = UPGRADES[path]
    upgrade = UpgradeStart(
        tenant_id=1,
        tenant_public_id=10**15,
        payment_id=list(UPGRADES).index(path) + 1,
        public_id=10**15 + list(UPGRADES).index(path),
        merchant="shop",
        channel=Channel.SMS,
        scope="",
        idempotency_key=path,
        accepted_at=datetime.now(UTC) - script.ordered_before,
    )
    handle: WorkflowHandle[Upgrade, PaymentStatus]
    handle = client.get_workflow_handle(upgrade.workflow_id)
    activities = [
        fake(steps.charge, *script.charge, repeat_last=True)[0],
        fake(steps.await_payment, *script.await_payment, repeat_last=True)[0],
        fake(steps.cancel_charge, *script.cancel_charge)[0],
        fake(steps.grant, *script.grant)[0],
        fake(steps.refund, *script.refund)[0],
    ]
    async with worker(client, names.MONEY, activities, workflows=WORKFLOWS):
        await start_upgrade(client, upgrade, _PATIENT if script.told else _WAITS)
        if script.told:
            await until(timers_set(handle, 1))
            await wake_upgrade(client, upgrade.workflow_id)
        await handle.result()
    return (await handle.fetch_history()).to_json_dict()
