"""The task queues of a worker, with the slots of each."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
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
from models.configuration.environment_settings import BadSettings
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
    names.BATCHES: {
        "max_concurrent_activities": 8,
        "max_concurrent_local_activities": 4,
        "max_cached_workflows": 500,
    },
    names.REGISTRATION: {"max_concurrent_activities": 20},
    names.WEBHOOKS: {"max_concurrent_activities": 300},
}
"""Slots of queues that differ from Temporal's defaults.

An endpoint that hangs occupies one slot of `webhooks` for 15 s at a time, and then pauses for up to
30 s. A tenant occupies at most `tenant_shares.TURNS_PER_TENANT` of them.
"""

_MESSAGE_SLOTS: Final = 100
_BUSY_MESSAGE_SLOTS: Final = 30
_BUSY: Final = ResourceBasedTunerConfig(target_memory_usage=0.99, target_cpu_usage=0.9)

_PROVIDER_SLOTS: Final = 20
"""Concurrent calls to one busy provider, per worker."""


def workers(client: Client, parts: Parts, queues: Sequence[str] | None = None) -> list[Worker]:
    """Build one worker per task queue that is not an account's: the given ones, or all.

    Raises BadSettings for a queue that no process serves.
    """
    activities = _activities(parts)
    for queue in queues or ():
        if queue not in activities and not queue.startswith(names.provider_queue("")):
            raise BadSettings(f"there is no task queue {queue}")
    return [
        _registration_worker(client, queue, activities[queue], parts)
        for queue in activities
        if not queues or queue in queues
    ]


class AccountWorkers:
    """Serves the task queue of every account, also of those that are added while it runs."""

    def __init__(self, client: Client, parts: Parts, queues: Sequence[str] | None = None) -> None:
        """`queues` limits the task queues that are served; without any, all are."""
        self._client = client
        self._parts = parts
        self._queues = queues
        self._running: dict[str, AsyncExitStack] = {}

    @property
    def queues(self) -> frozenset[str]:
        """The task queues that are served now."""
        return frozenset(self._running)

    async def adjust(self) -> None:
        """Start and stop workers, so that exactly the queues of all present accounts are served.

        The task that runs this one is cancelled if a worker fails.
        """
        present = {names.provider_queue(p.account) for p in self._parts.routes.providers}
        wanted = present & set(self._queues) if self._queues else present
        for queue in sorted(wanted - self._running.keys()):
            stack = AsyncExitStack()
            await stack.enter_async_context(_provider_worker(self._client, queue, self._parts))
            self._running[queue] = stack
        await self._stop(self._running.keys() - wanted)

    async def close(self) -> None:
        """Stop all workers."""
        await self._stop(frozenset(self._running))

    async def _stop(self, queues: Collection[str]) -> None:
        stopped = [self._running.pop(queue) for queue in sorted(queues)]
        await asyncio.gather(*(stack.aclose() for stack in stopped))


def _activities(parts: Parts) -> dict[str, list[Any]]:
    """Return the activities of each queue."""
    return {
        names.MESSAGES: [
            parts.dispatching.dispatch,
            parts.reconciliation.reconcile,
            parts.reconciliation.poll,
            parts.settlement.settle,
        ],
        names.BATCHES: [
            parts.chunk_dispatching.dispatch_chunk,
            parts.chunk_settlement.settle_chunk,
            *parts.batches.activities,
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
        names.WEBHOOKS: [parts.webhooks.deliver_webhooks],
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
