"""Runs the registration workflows with fake activities, on the harness of sends."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from models.rules.registration.lifecycle import RegistrationAction
from models.rules.registration.vocabulary import RegistrationKind
from models.rules.waits import RegistrationWaits
from tests.fakes import fake
from tests.workflows.harness import Harness, HarnessFactory, until
from workflows import steps
from workflows.registration.registration_base import RegistrationBase
from workflows.registration.types import RegistrationInput, RegistrationResult

WAITS = RegistrationWaits(
    ask_first=timedelta(minutes=1),
    ask_longest=timedelta(hours=1),
    reconcile_every=timedelta(seconds=5),
)
"""As in production."""

INPUT = RegistrationInput(tenant_id=3, kind=RegistrationKind.BRAND, row_id=7, waits=WAITS)

SUBMIT = RegistrationResult(action=RegistrationAction.SUBMIT, state="PENDING")
RECONCILE = RegistrationResult(action=RegistrationAction.RECONCILE, state="PENDING")
ASK = RegistrationResult(action=RegistrationAction.ASK, state="PENDING")
APPROVED = RegistrationResult(action=RegistrationAction.OVER, state="APPROVED")
REJECTED = RegistrationResult(action=RegistrationAction.OVER, state="REJECTED")

_PATIENCE = 60
"""Seconds of real time after which a run counts as hanging."""

Answer = RegistrationResult | Exception | Callable[[Any], Any]


@dataclass
class RegistrationRun:
    """One run of a registration, and the calls of its steps."""

    harness: Harness
    client: Client
    submitted: list[Any]
    reconciled: list[Any]
    asked: list[Any]
    _handle: WorkflowHandle[Any, str] | None = None

    @property
    def handle(self) -> WorkflowHandle[Any, str]:
        """The started run; only its own handle skips time while its end is awaited."""
        assert self._handle is not None
        return self._handle

    async def start(self, workflow: Any, input: RegistrationInput = INPUT) -> None:
        """Start it."""
        self._handle = await self.client.start_workflow(
            workflow.run,
            input,
            id=f"{self.harness.queue}-run",
            task_queue=self.harness.queue,
            task_timeout=timedelta(seconds=2),
        )

    async def play(self, workflow: Any, input: RegistrationInput = INPUT) -> str:
        """Run it to its end, skipping all waits."""
        await self.start(workflow, input)
        return await self.end()

    async def end(self) -> str:
        """Wait for its end, skipping all waits."""
        async with asyncio.timeout(_PATIENCE):
            return await self.handle.result()

    async def tell(self) -> None:
        """Signal that the row changed."""
        await self.handle.signal(RegistrationBase.changed)

    async def timers(self) -> list[timedelta]:
        """Return the durations of its timers."""
        history = await self.handle.fetch_history()
        return [
            event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
        ]

    async def until_it_waits(self, times: int = 1) -> None:
        """Return when it has started so many timers: time does not skip meanwhile."""

        async def waits() -> bool:
            return len(await self.timers()) >= times

        await until(waits)


def scripted(
    harness: HarnessFactory,
    client: Client,
    *,
    submit: list[Answer],
    reconcile: list[Answer] | None = None,
    ask: list[Answer] | None = None,
    **options: Any,
) -> RegistrationRun:
    """Return a harness with scripted steps."""
    submitting, submitted = fake(steps.submit_registration, *submit)
    reconciling, reconciled = fake(steps.reconcile_registration, *(reconcile or []))
    asking, asked = fake(steps.ask_registration, *(ask or []))
    played = harness(submitting, reconciling, asking, **options)
    return RegistrationRun(played, client, submitted, reconciled, asked)
