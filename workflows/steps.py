"""Names and signatures of every step a workflow may ask for; the bodies are in `activities`.

Workflows call these, so they need no import of anything that does I/O, and the type checker sees
both sides.
"""

from temporalio import activity

from workflows.provisioning_types import ProvisionResult, ProvisionStep
from workflows.registration_types import (
    RegistrationResult,
    RegistrationStep,
    RegistrationSweepResult,
)
from workflows.types import (
    DispatchResult,
    DispatchStep,
    PollResult,
    PollStep,
    PumpResult,
    PumpStep,
    ReconcileResult,
    ReconcileStep,
    SettleResult,
    SettleStep,
    SweepResult,
)


@activity.defn(name="dispatch")
async def dispatch(step: DispatchStep) -> DispatchResult:
    """Hand the message to a provider, unless an earlier attempt may have done so."""
    raise NotImplementedError


@activity.defn(name="dispatch_queued")
async def dispatch_queued(step: DispatchStep) -> DispatchResult:
    """Do the same on the provider's own queue, where waiting starves nobody else."""
    raise NotImplementedError


@activity.defn(name="reconcile")
async def reconcile(step: ReconcileStep) -> ReconcileResult:
    """Find out whether the provider has the message whose answer was lost."""
    raise NotImplementedError


@activity.defn(name="poll")
async def poll(step: PollStep) -> PollResult:
    """Ask the provider what became of a message it took."""
    raise NotImplementedError


@activity.defn(name="settle")
async def settle(step: SettleStep) -> SettleResult:
    """Write the end: status, capture or release, usage record and day totals."""
    raise NotImplementedError


@activity.defn(name="sweep")
async def sweep() -> SweepResult:
    """Start what was accepted but is not running, apply reports that found nobody."""
    raise NotImplementedError


@activity.defn(name="let_in")
async def let_in(step: PumpStep) -> PumpResult:
    """Give the next in a sender's line their moments, and wake them."""
    raise NotImplementedError


@activity.defn(name="submit_registration")
async def submit_registration(step: RegistrationStep) -> RegistrationResult:
    """Make the next call of an errand, unless an earlier one may have been made."""
    raise NotImplementedError


@activity.defn(name="reconcile_registration")
async def reconcile_registration(step: RegistrationStep) -> RegistrationResult:
    """Find out whether the registry has the errand whose answer was lost."""
    raise NotImplementedError


@activity.defn(name="ask_registration")
async def ask_registration(step: RegistrationStep) -> RegistrationResult:
    """Ask how far the registry is, and write what it decided."""
    raise NotImplementedError


@activity.defn(name="sweep_registrations")
async def sweep_registrations() -> RegistrationSweepResult:
    """Start what was submitted but nobody carries."""
    raise NotImplementedError


@activity.defn(name="provision_voice")
async def provision_voice(step: ProvisionStep) -> ProvisionResult:
    """Tell the SIP directory a user's current password."""
    raise NotImplementedError
