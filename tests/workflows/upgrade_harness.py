"""Runs the upgrade workflow on the harness: start, signals, end."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from models.enums import PaymentStatus
from models.rules.billing.payments import PaymentAction
from models.rules.waits import PaymentWaits
from tests.workflows.harness import Harness, until
from workflows.billing.types import PaymentProgress, UpgradeInput
from workflows.billing.workflow import Upgrade

WAITS = PaymentWaits(
    news_wait=timedelta(minutes=1),
    poll_first=timedelta(minutes=1),
    poll_longest=timedelta(minutes=30),
    retry_every=timedelta(seconds=5),
    horizon=timedelta(hours=24),
)
"""As in production."""

Handle = WorkflowHandle[Upgrade, PaymentStatus]


def stands(status: PaymentStatus, next_action: PaymentAction, **more: Any) -> PaymentProgress:
    return PaymentProgress(status=status, next_action=next_action, **more)


UNANSWERED = stands(PaymentStatus.PENDING, PaymentAction.CHARGE)
UNDER_WAY = stands(PaymentStatus.PENDING, PaymentAction.AWAIT)
NEEDS_ACTION = stands(PaymentStatus.REQUIRES_ACTION, PaymentAction.AWAIT)
NOT_CANCELED = stands(PaymentStatus.PENDING, PaymentAction.CANCEL_CHARGE)
TAKEN = stands(PaymentStatus.SUCCEEDED, PaymentAction.GRANT)
GRANTED = stands(PaymentStatus.SUCCEEDED, PaymentAction.NONE, moved=True)
NOT_GRANTED = stands(PaymentStatus.SUCCEEDED, PaymentAction.REFUND, moved=True)
FAILED = stands(PaymentStatus.FAILED, PaymentAction.NONE, moved=True)
FAILED_BUT_CHARGED = stands(PaymentStatus.FAILED, PaymentAction.REFUND, moved=True)
REFUND_STUCK = stands(PaymentStatus.SUCCEEDED, PaymentAction.NONE)
REFUNDED = stands(PaymentStatus.REFUNDED, PaymentAction.NONE, moved=True)


class Purchase:
    """One upgrade on a harness."""

    def __init__(self, harness: Harness, skipping: WorkflowEnvironment) -> None:
        self.harness = harness
        self._skipping = skipping
        self._handle: Handle | None = None

    async def start(self, *, ordered_before: timedelta = timedelta(0)) -> None:
        """Start it, optionally as if it had been requested a while ago."""
        now: datetime = await self._skipping.get_current_time()
        self._handle = await self.harness.client.start_workflow(
            Upgrade.run,
            UpgradeInput(tenant_id=3, payment_id=7, accepted_at=now - ordered_before, waits=WAITS),
            id=f"{self.harness.queue}-upgrade",
            task_queue=self.harness.queue,
            task_timeout=timedelta(seconds=2),
        )

    async def play(self, **started: Any) -> PaymentStatus:
        """Start it and run it to its end, skipping all waits."""
        await self.start(**started)
        return await self.end()

    async def end(self) -> PaymentStatus:
        """Wait for its end, skipping all waits."""
        async with asyncio.timeout(60):
            return await self.handle.result()

    @property
    def handle(self) -> Handle:
        """The started workflow."""
        assert self._handle is not None
        return self._handle

    async def report(self) -> None:
        """Signal that its row changed."""
        await self.handle.signal(Upgrade.payment_reported)

    async def until_it_waits(self) -> None:
        """Return when it has started a timer: time does not skip meanwhile."""

        async def waits() -> bool:
            return bool(await self.gaps())

        await until(waits)

    async def gaps(self) -> list[timedelta]:
        """Return the durations of its timers."""
        history = await self.handle.fetch_history()
        return [
            event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
        ]

    async def took(self) -> timedelta:
        """Return its duration, by the server's clock."""
        events = (await self.handle.fetch_history()).events
        return events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()
