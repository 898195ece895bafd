"""Runs workflows with faked steps on a sandboxed worker with its own queue."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Worker,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from models.enums import MessageStatus
from models.rules.waits import SendWaits
from tests.fakes import Activity, fake, name_of
from workflows import names, steps
from workflows.messages.types import SendInput
from workflows.messages.workflow import SendMessage
from workflows.worker_registry import WORKFLOWS

STRICT = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_import_notification_policy(
        SandboxImportNotificationPolicy.WARN_ON_DYNAMIC_IMPORT
        | SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
)
"""Makes an import that should not pass through the sandbox a failure."""

WAITS = SendWaits(
    report_wait=timedelta(minutes=10),
    poll_first=timedelta(minutes=5),
    poll_longest=timedelta(hours=2),
    reconcile_every=timedelta(seconds=5),
    reconcile_horizon=timedelta(hours=72),
)
"""As in production."""

INPUT = SendInput(tenant_id=3, message_id=7, waits=WAITS)

Send = WorkflowHandle[SendMessage, MessageStatus]

_STEPS = (
    *(steps.dispatch, steps.reconcile, steps.poll, steps.settle, steps.sweep),
    *(steps.dispatch_chunk, steps.settle_chunk),
    *(steps.charge, steps.await_payment, steps.cancel_charge, steps.grant, steps.refund),
)

_PATIENCE = 60
"""Seconds of real time after which a workflow counts as hanging."""


class _Listening(Interceptor):
    def __init__(self, asked: list[str]) -> None:
        self._asked = asked

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Noting(next, self._asked)


class _Noting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, asked: list[str]) -> None:
        super().__init__(next)
        self._asked = asked

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        self._asked.append(activity.info().activity_type)
        return await super().execute_activity(input)


@dataclass
class Harness:
    """Serves every workflow with the given fakes while it is entered; may be entered again.

    `asked` names the steps in the order of their calls, retries included. A step without a fake
    fails the workflow when called. `provider` is the provider of the dispatch queue, `cached` the
    number of workflows that a worker caches; with 0 every task replays.
    """

    client: Client
    fakes: tuple[Activity, ...]
    provider: str | None = None
    cached: int = 100
    queue: str = field(default_factory=lambda: f"test-{uuid4()}")
    asked: list[str] = field(default_factory=list)
    _workers: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        given = {name_of(fake): fake for fake in self.fakes}
        queued = given.pop("dispatch_queued", None)
        for step in _STEPS:
            given.setdefault(name_of(step), fake(step)[0])
        await self._workers.enter_async_context(
            self._worker(self.queue, [*given.values()], workflows=WORKFLOWS)
        )
        if queued is not None and self.provider is not None:
            queue = names.provider_queue(self.provider)
            await self._workers.enter_async_context(self._worker(queue, [queued]))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._workers.aclose()

    def _worker(self, queue: str, activities: list[Activity], **options: Any) -> Worker:
        return Worker(
            self.client,
            task_queue=queue,
            activities=activities,
            workflow_runner=STRICT,
            workflow_failure_exception_types=[Exception],
            interceptors=[_Listening(self.asked)],
            max_cached_workflows=self.cached,
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
            **options,
        )

    async def start(self, input: SendInput = INPUT) -> Send:
        """Start a send."""
        return await self.client.start_workflow(
            SendMessage.run,
            input,
            id=f"{self.queue}-send",
            task_queue=self.queue,
            task_timeout=timedelta(seconds=2),
        )

    @property
    def send(self) -> Send:
        """Return the send, for a fake that signals it."""
        handle: Send = self.client.get_workflow_handle(f"{self.queue}-send")
        return handle

    async def play(self, input: SendInput = INPUT) -> MessageStatus:
        """Run a send to its end, skipping all waits."""
        return await self.end_of(await self.start(input))

    async def end_of(self, send: Send) -> MessageStatus:
        """Wait for the end of a started send, skipping all waits."""
        async with asyncio.timeout(_PATIENCE):
            return await send.result()

    async def report(self) -> None:
        """Signal that a report is stored."""
        await self.send.signal(SendMessage.delivery_reported)

    async def wake(self) -> None:
        """Signal that the row changed: it was canceled, or got a slot."""
        await self.send.signal(SendMessage.row_changed)

    async def until_it_waits(self, times: int = 1) -> None:
        """Return when the send has started so many timers: time does not skip meanwhile."""
        await until(lambda: self._timers_set(times))

    async def _timers_set(self, times: int) -> bool:
        return len(await self.events(EventType.EVENT_TYPE_TIMER_STARTED)) >= times

    async def events(self, kind: EventType.ValueType | None = None) -> list[HistoryEvent]:
        """Return the send's history, or its events of one kind."""
        history = await self.send.fetch_history()
        return [event for event in history.events if kind in (None, event.event_type)]

    async def took(self) -> timedelta:
        """Return the duration of the send, by the server's clock."""
        events = await self.events()
        return events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()


HarnessFactory = Callable[..., Harness]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)
