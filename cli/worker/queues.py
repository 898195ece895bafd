"""The task queues of a worker, with the slots of each."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import (
    FixedSizeSlotSupplier,
    Interceptor,
    ResourceBasedSlotConfig,
    ResourceBasedSlotSupplier,
    ResourceBasedTunerConfig,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerTuner,
)

from activities.system.observed import Observed
from activities.system.privacy import PrivateFailures
from cli.worker.composition import Parts
from workflows import names
from workflows.worker_registry import BY_QUEUE

_GRACE: Final = timedelta(seconds=10)
"""Activities in progress at SIGTERM get this time to finish, so that they are not repeated."""

_RUNNER: Final = UnsandboxedWorkflowRunner()
"""The sandbox costs a quarter of a worker's time; tests run every workflow in it (decision 14)."""

_STICKY: Final = timedelta(seconds=2)
"""Maximum delay of a report when a worker was killed."""

_SLOTS: Final[dict[str, dict[str, int]]] = {
    names.MESSAGES: {"max_cached_workflows": 2000},
    names.REGISTRATION: {"max_concurrent_activities": 20},
}
"""Slots of queues that differ from Temporal's defaults."""

_MESSAGE_SLOTS: Final = 100
_BUSY_MESSAGE_SLOTS: Final = 30
_BUSY: Final = ResourceBasedTunerConfig(target_memory_usage=0.99, target_cpu_usage=0.9)

_PROVIDER_SLOTS: Final = 20
"""Concurrent calls to one busy provider, per worker."""


def workers(client: Client, parts: Parts, queues: Sequence[str] | None = None) -> list[Worker]:
    """Build one worker per task queue: the given ones, or all."""
    activities = _activities(parts)
    carried = {names.provider_queue(provider.account) for provider in parts.routes.providers}
    built = []
    for queue in queues or [*activities, *sorted(carried)]:
        if queue in carried:
            built.append(_provider_worker(client, queue, parts))
        else:
            built.append(_registration_worker(client, queue, activities[queue], parts))
    return built


def _activities(parts: Parts) -> dict[str, list[Any]]:
    """Return the activities of each queue."""
    return {
        names.MESSAGES: [
            parts.dispatching.dispatch,
            parts.truth.reconcile,
            parts.truth.poll,
            parts.ledger.settle,
        ],
        names.MONEY: [
            parts.payments.charge,
            parts.payments.await_payment,
            parts.payments.cancel_charge,
            parts.payments.grant,
            parts.payments.refund,
        ],
        names.HOUSEKEEPING: [
            parts.sweeping.sweep,
            parts.sender_slots.grant_sender_slots,
            parts.closing.close_days,
            parts.watching.watch,
        ],
        names.REGISTRATION: [
            parts.registering.submit,
            parts.registering.reconcile,
            parts.registering.ask,
            parts.provisioning.provision_voice,
        ],
    }


def _message_slots() -> WorkerTuner:
    """Use many slots, because providers may be slow, but few while the processors are busy.

    Tasks that a worker has polled are first in, first out: an OTP only overtakes tasks that are
    still in Temporal's queue. A task that waits too long for a processor times out and is run again
    elsewhere.
    """
    tasks = ResourceBasedSlotConfig(minimum_slots=_BUSY_MESSAGE_SLOTS, maximum_slots=_MESSAGE_SLOTS)
    # Local activities are first in, first out: with fewer slots than workflow tasks an urgent
    # message would wait behind others that hold both.
    return WorkerTuner.create_composite(
        workflow_supplier=ResourceBasedSlotSupplier(tasks, _BUSY),
        activity_supplier=FixedSizeSlotSupplier(_MESSAGE_SLOTS),
        local_activity_supplier=FixedSizeSlotSupplier(_MESSAGE_SLOTS),
        nexus_supplier=FixedSizeSlotSupplier(1),
    )


def _registration_worker(
    client: Client, queue: str, activities: Sequence[Any], parts: Parts
) -> Worker:
    slots: dict[str, Any] = dict(_SLOTS.get(queue, {}))
    if queue == names.MESSAGES:
        slots["tuner"] = _message_slots()
    return Worker(
        client,
        task_queue=queue,
        workflows=BY_QUEUE[queue],
        activities=activities,
        workflow_runner=_RUNNER,
        interceptors=_interceptors(parts),
        sticky_queue_schedule_to_start_timeout=_STICKY,
        graceful_shutdown_timeout=_GRACE,
        **slots,
    )


def _interceptors(parts: Parts) -> list[Interceptor]:
    """Return the interceptors, outermost first."""
    return [Observed(), PrivateFailures(), parts.counted_failures]


def _provider_worker(client: Client, queue: str, parts: Parts) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        activities=[parts.dispatching.dispatch_queued],
        interceptors=_interceptors(parts),
        max_concurrent_activities=_PROVIDER_SLOTS,
        graceful_shutdown_timeout=_GRACE,
    )
