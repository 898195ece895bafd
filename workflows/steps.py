"""Names and signatures of every step a workflow may ask for; the bodies are in `activities`.

Workflows call these, so they need no import of anything that does I/O, and the type checker sees
both sides.
"""

from temporalio import activity

from workflows.billing.close_days_types import CloseDaysResult, CloseDaysStep
from workflows.billing.types import PaymentProgress, UpgradeStep
from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    PollResult,
    PollStep,
    ReconcileResult,
    ReconcileStep,
    SettleResult,
    SettleStep,
)
from workflows.registration.types import RegistrationResult, RegistrationStep
from workflows.senders.types import SenderQueueResult, SenderQueueStep
from workflows.system.sweeper_types import SweepResult
from workflows.system.watcher_types import WatchResult, WatchStep
from workflows.voice.types import ProvisionResult, ProvisionStep


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


@activity.defn(name="grant_sender_slots")
async def grant_sender_slots(step: SenderQueueStep) -> SenderQueueResult:
    """Grant slots of a sender to the next queued messages, and signal their workflows."""
    raise NotImplementedError


@activity.defn(name="submit_registration")
async def submit_registration(step: RegistrationStep) -> RegistrationResult:
    """Make the next call of an operation, unless an earlier one may have been made."""
    raise NotImplementedError


@activity.defn(name="reconcile_registration")
async def reconcile_registration(step: RegistrationStep) -> RegistrationResult:
    """Find out whether the registry has the operation whose answer was lost."""
    raise NotImplementedError


@activity.defn(name="ask_registration")
async def ask_registration(step: RegistrationStep) -> RegistrationResult:
    """Ask how far the registry is, and write what it decided."""
    raise NotImplementedError


@activity.defn(name="provision_voice")
async def provision_voice(step: ProvisionStep) -> ProvisionResult:
    """Tell the SIP directory a user's current password."""
    raise NotImplementedError


@activity.defn(name="close_days")
async def close_days(step: CloseDaysStep) -> CloseDaysResult:
    """Price what lacks a price, and close the days that nothing holds open, of some tenants."""
    raise NotImplementedError


@activity.defn(name="watch")
async def watch(step: WatchStep) -> WatchResult:
    """Resolve alerts whose cause is gone, raise those that nobody did."""
    raise NotImplementedError


@activity.defn(name="charge")
async def charge(step: UpgradeStep) -> PaymentProgress:
    """Have the gateway take the money, after a lost answer only once it was asked for the truth."""
    raise NotImplementedError


@activity.defn(name="await_payment")
async def await_payment(step: UpgradeStep) -> PaymentProgress:
    """Read what is known of a charge; if it is still open, ask the gateway."""
    raise NotImplementedError


@activity.defn(name="cancel_charge")
async def cancel_charge(step: UpgradeStep) -> PaymentProgress:
    """Cancel a charge nothing came of, or learn that the money was taken meanwhile."""
    raise NotImplementedError


@activity.defn(name="grant")
async def grant(step: UpgradeStep) -> PaymentProgress:
    """Grant the credits of money that was taken, or decide that it is given back."""
    raise NotImplementedError


@activity.defn(name="refund")
async def refund(step: UpgradeStep) -> PaymentProgress:
    """Have the gateway give the money back."""
    raise NotImplementedError
