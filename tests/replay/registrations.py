"""Paths of the 10DLC workflows, for `tests.replay.record`."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle

from models.rules.registration.lifecycle import RegistrationAction
from models.rules.registration.vocabulary import RegistrationKind, RegistrationOperation
from models.rules.waits import RegistrationWaits
from tests.fakes import fake
from tests.workflows.harness import until
from tests.workflows.registration_harness import APPROVED, ASK, RECONCILE, REJECTED, SUBMIT
from workflows import names, steps
from workflows.registration.start import RegistrationStart, start_registration, wake_registration
from workflows.registration.types import RegistrationResult, RegistrationStep

_WAITS: Final = RegistrationWaits(
    ask_first=timedelta(seconds=0.3),
    ask_longest=timedelta(seconds=0.3),
    reconcile_every=timedelta(seconds=0.2),
)

Serve = Callable[[str, list[Any]], AbstractAsyncContextManager[Any]]
TimersSet = Callable[[WorkflowHandle[Any, Any], int], Callable[[], Awaitable[bool]]]


@dataclass(frozen=True, kw_only=True)
class Script:
    """Answers of the steps, and after how many timers signals arrive; `asks` is repeated."""

    registry_operation: RegistrationOperation
    submit: Sequence[Any]
    reconcile: Sequence[Any] = ()
    ask: Sequence[Any] = ()
    signal_after: Sequence[int] = ()


def _not_processed(_: RegistrationStep) -> RegistrationResult:
    until_then = datetime.now(UTC) + timedelta(milliseconds=300)
    return RegistrationResult(action=RegistrationAction.SUBMIT, state="PENDING", until=until_then)


def _over(state: str) -> RegistrationResult:
    return RegistrationResult(action=RegistrationAction.OVER, state=state)


_BRAND: Final = RegistrationOperation.REGISTER_BRAND
_AWAY: Final = ConnectionError("no database")

WORKFLOWS: Final = {
    "register-brand.approved": Script(registry_operation=_BRAND, submit=[ASK], ask=[ASK, APPROVED]),
    "register-brand.reported": Script(
        registry_operation=_BRAND, submit=[ASK], ask=[REJECTED], signal_after=[1]
    ),
    "register-brand.several-calls": Script(
        registry_operation=_BRAND, submit=[SUBMIT, SUBMIT, APPROVED]
    ),
    "register-brand.not-processed": Script(
        registry_operation=_BRAND, submit=[_not_processed, APPROVED]
    ),
    "register-brand.retried": Script(
        registry_operation=_BRAND, submit=[_AWAY, ASK], ask=[_AWAY, APPROVED]
    ),
    "register-campaign.ambiguous-found": Script(
        registry_operation=RegistrationOperation.REGISTER_CAMPAIGN,
        submit=[RECONCILE],
        reconcile=[RECONCILE, ASK],
        ask=[APPROVED],
    ),
    "buy-number.ambiguous-absent": Script(
        registry_operation=RegistrationOperation.BUY,
        submit=[RECONCILE, _over("ACTIVE")],
        reconcile=[RECONCILE, SUBMIT],
    ),
    "buy-number.bought": Script(
        registry_operation=RegistrationOperation.BUY, submit=[_over("ACTIVE")]
    ),
    "assign-number.assigned": Script(
        registry_operation=RegistrationOperation.ASSIGN, submit=[ASK], ask=[_over("ASSIGNED")]
    ),
    "return-number.unassigned-and-released": Script(
        registry_operation=RegistrationOperation.UNASSIGN,
        submit=[ASK, _over("RELEASED")],
        ask=[_over("RELEASING")],
    ),
    "return-number.released": Script(
        registry_operation=RegistrationOperation.RELEASE,
        submit=[_over("RELEASING"), ASK],
        ask=[_over("RELEASED")],
    ),
}
"""Every path of the workflows. A new branch needs a new line here."""

PATHS: Final = [*WORKFLOWS]


async def record_workflow(
    client: Client, name: str, serve: Serve, timers_set: TimersSet
) -> dict[str, Any]:
    """Run one path and return its history."""
    script = WORKFLOWS[name]
    start = RegistrationStart(
        tenant_id=1,
        kind=RegistrationKind.BRAND
        if script.registry_operation is _BRAND
        else RegistrationKind.NUMBER,
        row_id=list(WORKFLOWS).index(name) + 1,
        public_id=10**15 + list(WORKFLOWS).index(name),
        registry_operation=script.registry_operation,
        merchant="shop",
    )
    activities = [
        fake(steps.submit_registration, *script.submit)[0],
        fake(steps.reconcile_registration, *script.reconcile)[0],
        fake(steps.ask_registration, *script.ask)[0],
    ]
    handle: WorkflowHandle[Any, str] = client.get_workflow_handle(start.workflow_id)
    async with serve(names.REGISTRATION, activities):
        await start_registration(client, start, _WAITS, fresh=True)
        for timers in script.signal_after:
            await until(timers_set(handle, timers))
            await wake_registration(client, start.workflow_id)
        await handle.result()
        return (await handle.fetch_history()).to_json_dict()
