"""The paths of the stories of 10DLC, for `tests.replay.record`."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle

from models.rules.registration.lifecycle import Move
from models.rules.registration.vocabulary import Errand, RegistrationKind
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
    """What the steps answer, and after how many timers news come in; `asks` is given for ever."""

    errand: Errand
    submit: Sequence[Any]
    reconcile: Sequence[Any] = ()
    ask: Sequence[Any] = ()
    woken_after: Sequence[int] = ()


def _not_processed(_: RegistrationStep) -> RegistrationResult:
    until_then = datetime.now(UTC) + timedelta(milliseconds=300)
    return RegistrationResult(move=Move.SUBMIT, state="PENDING", until=until_then)


def _over(state: str) -> RegistrationResult:
    return RegistrationResult(move=Move.OVER, state=state)


_BRAND: Final = Errand.REGISTER_BRAND
_AWAY: Final = ConnectionError("no database")

STORIES: Final = {
    "register-brand.approved": Script(errand=_BRAND, submit=[ASK], ask=[ASK, APPROVED]),
    "register-brand.woken": Script(errand=_BRAND, submit=[ASK], ask=[REJECTED], woken_after=[1]),
    "register-brand.several-calls": Script(errand=_BRAND, submit=[SUBMIT, SUBMIT, APPROVED]),
    "register-brand.not-processed": Script(errand=_BRAND, submit=[_not_processed, APPROVED]),
    "register-brand.retried": Script(errand=_BRAND, submit=[_AWAY, ASK], ask=[_AWAY, APPROVED]),
    "register-campaign.ambiguous-found": Script(
        errand=Errand.REGISTER_CAMPAIGN,
        submit=[RECONCILE],
        reconcile=[RECONCILE, ASK],
        ask=[APPROVED],
    ),
    "buy-number.ambiguous-absent": Script(
        errand=Errand.BUY, submit=[RECONCILE, _over("ACTIVE")], reconcile=[RECONCILE, SUBMIT]
    ),
    "buy-number.bought": Script(errand=Errand.BUY, submit=[_over("ACTIVE")]),
    "assign-number.assigned": Script(errand=Errand.ASSIGN, submit=[ASK], ask=[_over("ASSIGNED")]),
    "return-number.unassigned-and-released": Script(
        errand=Errand.UNASSIGN,
        submit=[ASK, _over("RELEASED")],
        ask=[_over("RELEASING")],
    ),
    "return-number.released": Script(
        errand=Errand.RELEASE, submit=[_over("RELEASING"), ASK], ask=[_over("RELEASED")]
    ),
}
"""Every path of the stories. A new branch is a new line here."""

PATHS: Final = [*STORIES]


async def record_story(
    client: Client, name: str, serve: Serve, timers_set: TimersSet
) -> dict[str, Any]:
    """Play one path and return its history."""
    script = STORIES[name]
    start = RegistrationStart(
        tenant_id=1,
        kind=RegistrationKind.BRAND if script.errand is _BRAND else RegistrationKind.NUMBER,
        row_id=list(STORIES).index(name) + 1,
        errand=script.errand,
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
        for timers in script.woken_after:
            await until(timers_set(handle, timers))
            await wake_registration(client, start.workflow_id)
        await handle.result()
        return (await handle.fetch_history()).to_json_dict()
