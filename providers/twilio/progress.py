"""Runs an operation of several calls: each step changes one thing, and its outcome is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from models.rules.registration.vocabulary import RegistryStatus
from providers.ports.messages import NotFound
from providers.ports.registration import (
    MoreCallsNeeded,
    OperationStatus,
    Reason,
    RegistryCall,
    VendorState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The step is done; `sid` is Twilio's id of the created object."""

    sid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InReview:
    """The step waits for Twilio's review."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The step was rejected, and so is the operation."""

    reasons: tuple[Reason, ...]


Outcome: TypeAlias = Done | InReview | Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress of an operation: the row's created objects, and the steps this operation has done.

    So a corrected brand keeps its bundles, and runs every step again.
    """

    reference: str
    sids: dict[str, str] = field(default_factory=dict)
    done: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: RegistryCall) -> "Progress":
        """Read the stored state of the row."""
        state: Any = request.vendor_state
        sids = {str(name): str(sid) for name, sid in (state.get("sids") or {}).items()}
        same = state.get("reference") == request.reference
        return cls(
            reference=request.reference,
            sids=sids,
            done=tuple(state.get("done") or ()) if same else (),
        )

    def after(self, step: str, outcome: Done) -> "Progress":
        """Return the progress after a step is done."""
        made = {} if outcome.sid is None else {step: outcome.sid}
        return Progress(
            reference=self.reference, sids={**self.sids, **made}, done=(*self.done, step)
        )

    @property
    def state(self) -> VendorState:
        """The state to store with the row."""
        return {"reference": self.reference, "sids": self.sids, "done": list(self.done)}


class Step(Protocol):
    """One step of an operation."""

    @property
    def name(self) -> str:
        """Its stored name; it must never change."""
        ...

    async def run(self, progress: Progress, not_after: datetime) -> Outcome:
        """Run the step with at most one call that changes something.

        Raises:
            TwilioError: it was not done, or the outcome is unknown.
        """
        ...

    async def find_outcome(self, progress: Progress) -> Outcome | None:
        """Return its outcome if it was done although its answer was lost, else None."""
        ...


async def advance(
    request: RegistryCall, steps: Sequence[Step], *, last: str
) -> OperationStatus | MoreCallsNeeded:
    """Run only the next step, so that a reconciliation knows which step's answer was lost.

    The result of step `last` is the object that the operation creates.
    """
    progress = Progress.of(request)
    step = next((step for step in steps if step.name not in progress.done), None)
    if step is None:
        return _status_so_far(progress, steps, last)
    outcome = await step.run(progress, request.not_after)
    if not isinstance(outcome, Done):
        return _operation_status(progress, outcome, last)
    return _status_so_far(progress.after(step.name, outcome), steps, last)


async def look_up_step(
    request: RegistryCall, steps: Sequence[Step], *, last: str
) -> OperationStatus | MoreCallsNeeded | NotFound:
    """Check whether the next step was done although its answer was lost."""
    progress = Progress.of(request)
    step = next((step for step in steps if step.name not in progress.done), None)
    if step is None:
        return _status_so_far(progress, steps, last)
    outcome = await step.find_outcome(progress)
    if outcome is None:
        return NotFound()
    if not isinstance(outcome, Done):
        return _operation_status(progress, outcome, last)
    return _status_so_far(progress.after(step.name, outcome), steps, last)


def complete(request: RegistryCall, steps: Sequence[Step]) -> bool:
    """Return whether every step of an operation is done."""
    done = Progress.of(request).done
    return all(step.name in done for step in steps)


def _status_so_far(
    progress: Progress, steps: Sequence[Step], last: str
) -> OperationStatus | MoreCallsNeeded:
    if any(step.name not in progress.done for step in steps):
        return MoreCallsNeeded(vendor_state=progress.state)
    return _operation_status(progress, InReview(), last)


def _operation_status(
    progress: Progress, outcome: InReview | Rejected, last: str
) -> OperationStatus:
    rejected = isinstance(outcome, Rejected)
    return OperationStatus(
        status=RegistryStatus.REJECTED if rejected else RegistryStatus.PENDING,
        vendor_id=progress.sids.get(last),
        vendor_state=progress.state,
        reasons=outcome.reasons if isinstance(outcome, Rejected) else (),
    )
