"""Names and signatures of all activities; the bodies are in `activities`.

Workflows refer to these, so they import nothing that does I/O, and the type checker checks both
sides.
"""

from temporalio import activity

from workflows.billing.close_days_types import CloseDaysResult, CloseDaysStep
from workflows.billing.types import PaymentProgress, UpgradeStep
from workflows.messages.batches.chunk_types import ChunkResult, ChunkStep, SettleChunkStep
from workflows.messages.batches.types import (
    AcceptLinesResult,
    AcceptLinesStep,
    CancelMembersResult,
    CancelMembersStep,
)
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
from workflows.webhooks.types import DeliverResult, DeliverStep


@activity.defn(name="dispatch")
async def dispatch(step: DispatchStep) -> DispatchResult:
    """Hand the message to a provider, unless an earlier attempt may have done so."""
    raise NotImplementedError


@activity.defn(name="dispatch_queued")
async def dispatch_queued(step: DispatchStep) -> DispatchResult:
    """Dispatch on the provider's own task queue, where waiting does not block other providers."""
    raise NotImplementedError


@activity.defn(name="reconcile")
async def reconcile(step: ReconcileStep) -> ReconcileResult:
    """Find out whether the provider has the message whose answer was lost."""
    raise NotImplementedError


@activity.defn(name="poll")
async def poll(step: PollStep) -> PollResult:
    """Ask the provider for the delivery status of a message that it accepted."""
    raise NotImplementedError


@activity.defn(name="settle")
async def settle(step: SettleStep) -> SettleResult:
    """Write the terminal status, the capture or release, the usage record and the day totals."""
    raise NotImplementedError


@activity.defn(name="accept_lines")
async def accept_lines(step: AcceptLinesStep) -> AcceptLinesResult:
    """Accept or refuse the next lines of a batch, and start the chunks of their messages."""
    raise NotImplementedError


@activity.defn(name="cancel_members")
async def cancel_members(step: CancelMembersStep) -> CancelMembersResult:
    """Cancel the next messages of a canceled batch that are not being sent."""
    raise NotImplementedError


@activity.defn(name="dispatch_chunk")
async def dispatch_chunk(step: ChunkStep) -> ChunkResult:
    """Hand members of a chunk to a provider, each once; members that need more leave the chunk."""
    raise NotImplementedError


@activity.defn(name="settle_chunk")
async def settle_chunk(step: SettleChunkStep) -> ChunkResult:
    """End the members of a chunk whose final report is stored."""
    raise NotImplementedError


@activity.defn(name="sweep")
async def sweep() -> SweepResult:
    """Start accepted work that has no running workflow, and apply reports that matched no row."""
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
    """Poll the registry for its decision, and store it."""
    raise NotImplementedError


@activity.defn(name="provision_voice")
async def provision_voice(step: ProvisionStep) -> ProvisionResult:
    """Write a user's current password to the SIP directory."""
    raise NotImplementedError


@activity.defn(name="deliver_webhooks")
async def deliver_webhooks(step: DeliverStep) -> DeliverResult:
    """Attempt the deliveries of an endpoint that are due, for a few seconds."""
    raise NotImplementedError


@activity.defn(name="close_days")
async def close_days(step: CloseDaysStep) -> CloseDaysResult:
    """Price unpriced messages, and close the days of some tenants that nothing keeps open."""
    raise NotImplementedError


@activity.defn(name="watch")
async def watch(step: WatchStep) -> WatchResult:
    """Resolve alerts whose cause is gone, and raise missing ones."""
    raise NotImplementedError


@activity.defn(name="charge")
async def charge(step: UpgradeStep) -> PaymentProgress:
    """Charge the payment at the gateway; after a lost answer, look the charge up first."""
    raise NotImplementedError


@activity.defn(name="await_payment")
async def await_payment(step: UpgradeStep) -> PaymentProgress:
    """Read what is known of a charge; if it is still open, ask the gateway."""
    raise NotImplementedError


@activity.defn(name="cancel_charge")
async def cancel_charge(step: UpgradeStep) -> PaymentProgress:
    """Cancel a charge without an outcome, or find out that it succeeded meanwhile."""
    raise NotImplementedError


@activity.defn(name="grant")
async def grant(step: UpgradeStep) -> PaymentProgress:
    """Grant the credits of a successful charge, or mark it for a refund."""
    raise NotImplementedError


@activity.defn(name="refund")
async def refund(step: UpgradeStep) -> PaymentProgress:
    """Refund the charge at the gateway."""
    raise NotImplementedError
