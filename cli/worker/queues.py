"""The task queues a worker serves, with the slots of each."""

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
"""What is in hand at SIGTERM may still be finished, so that nothing is redone."""

_RUNNER: Final = UnsandboxedWorkflowRunner()
"""The sandbox takes a quarter of a worker's time; tests run every workflow in it (decision 14)."""

_STICKY: Final = timedelta(seconds=2)
"""A killed worker costs a report at most this."""

_SLOTS: Final[dict[str, dict[str, int]]] = {
    names.MESSAGES: {"max_cached_workflows": 2000},
    names.REGISTRATION: {"max_concurrent_activities": 20},
}
"""Of queues that need others than Temporal's own."""

_MESSAGE_SLOTS: Final = 100
_BUSY_MESSAGE_SLOTS: Final = 30
_BUSY: Final = ResourceBasedTunerConfig(target_memory_usage=0.99, target_cpu_usage=0.9)

_PROVIDER_SLOTS: Final = 20
"""Calls to one busy provider, per worker."""


def workers(client: Client, parts: Parts, queues: Sequence[str] | None = None) -> list[Worker]:
    """Build a worker per task queue: the wanted ones, or all."""
    activities = _activities(parts)
    carried = {names.provider_queue(provider.name) for provider in parts.routes.providers}
    built = []
    for queue in queues or [*activities, *sorted(carried)]:
        if queue in carried:
            built.append(_provider_worker(client, queue, parts))
        else:
            built.append(_registration_worker(client, queue, activities[queue], parts))
    return built


def _activities(parts: Parts) -> dict[str, list[Any]]:
    """Return the steps that each queue serves."""
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
    """Take many messages at once, because providers may be slow; few while processors are busy.

    What a worker has taken waits there first in, first out: an OTP overtakes only what has not been
    taken yet. And a task that waits too long for a processor is given to somebody else as well.
    """
    tasks = ResourceBasedSlotConfig(minimum_slots=_BUSY_MESSAGE_SLOTS, maximum_slots=_MESSAGE_SLOTS)
    # Local activities are first in, first out: with fewer slots than workflow tasks a message that
    # matters would wait behind others that hold both.
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
    """Return what wraps every step, the outermost first."""
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
