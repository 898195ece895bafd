"""Sweeps messages: starts accepted ones without a workflow, and applies stored reports."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, Protocol, TypeVar

from prometheus_client import Counter
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.system.each import act_on_each
from models.database.transaction_limits import LockScope
from models.queries.messages import late_reports, receipts, settlement_facts, waiting
from models.queries.messages.receipts import OpenReceipt
from models.queries.senders import sender_queue
from models.queries.senders.sender_queue import SenderQueueKey
from models.queries.system import sweep_messages
from models.rules.messages.identity import SendStart
from models.rules.waits import SendWaits
from models.session import Database
from providers.routing import Routes
from workflows.heartbeat import heartbeats
from workflows.messages.start import SendSignal, start_send, wake_send
from workflows.senders.start import start_sender_queue
from workflows.senders.types import SenderQueueStep
from workflows.system.sweeper_types import SweepResult

log = logging.getLogger(__name__)

STRANDED: Final = Counter(
    "hexavox_stranded_messages", "Looks at a message that a finished workflow left open"
)

_MOST = 200
"""Messages per turn; after a full turn the next one follows immediately."""

START_LOOK_EVERY: Final = timedelta(seconds=1)
"""How often the sweeper checks for due messages that were not started, between its turns."""

_LONGEST_WATCH: Final = timedelta(seconds=30)
"""Of one activity, which has 90 s (`policies.SWEEP`)."""

_STARTS_AT_ONCE: Final = 10

_REPORTS_AT_ONCE: Final = 20
"""More would exceed the pool's timeout for a connection."""

_START_PATIENCE: Final = 3.0
"""Timeout of one start in seconds; then the rest of the turn makes no calls to Temporal."""

_START_AGAIN: Final = timedelta(seconds=2)
"""When a message that could not be started is taken again."""

_AWAY: Final = frozenset(
    {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED}
)
"""Errors of a Temporal server that accepts no calls at all."""

_AT_ONCE: Final = timedelta(milliseconds=100)

_LONGEST_GAP = timedelta(minutes=10)


Item = TypeVar("Item")


class SweepTask(Protocol[Item]):
    """Sweeps one kind of row besides messages."""

    async def take(self, now: datetime, most: int) -> list[Item]:
        """Return the rows that are due, and set when they are due next."""
        ...

    async def resume(self, row: Item, /) -> bool:
        """Process one row; return whether that changed anything."""
        ...


class ExpiryTask(Protocol):
    """Deletes one kind of row that has outlived its time."""

    async def delete(self, now: datetime, most: int) -> int:
        """Delete at most `most` rows; return how many were deleted."""
        ...


async def _take(task: SweepTask[Item], now: datetime) -> list[Item]:
    """Take a task's rows; a failure does not stop the other tasks."""
    try:
        return await task.take(now, _MOST)
    except Exception:
        log.exception("a sweeper task failed and will be retried")
        return []


async def _delete(task: ExpiryTask, now: datetime) -> int:
    """Delete a task's rows; a failure does not stop the other tasks."""
    try:
        return await task.delete(now, _MOST)
    except Exception:
        log.exception("deleting expired rows failed and will be retried")
        return 0


def _is_away(error: Exception) -> bool:
    return isinstance(error, RPCError) and error.status in _AWAY


class Sweeping:
    """Restarts rows that may have no running workflow. Idempotent."""

    def __init__(
        self,
        database: Database,
        client: Client,
        waits: SendWaits,
        routes: Routes,
        *,
        every: timedelta,
        grace: timedelta,
        look_every: timedelta | None = None,
        urgent: Sequence[SweepTask[Any]] = (),
        tasks: Sequence[SweepTask[Any]] = (),
        expiries: Sequence[ExpiryTask] = (),
    ) -> None:
        self._database = database
        self._client = client
        self._waits = waits
        self._routes = routes
        self._every = every
        self._grace = grace
        self._look_every = look_every
        self._urgent = urgent
        self._tasks = [*urgent, *tasks]
        self._expiries = expiries

    @activity.defn(name="sweep")
    async def sweep(self) -> SweepResult:
        """Run one turn, then look for unstarted messages until the next turn is due.

        The `urgent` tasks are run at each look, the others once per turn.
        A full turn is followed by the next one immediately. Without `look_every` the activity is
        one turn.
        """
        if self._look_every is None:
            return await self._turn()
        async with heartbeats():
            until = monotonic() + min(self._every, _LONGEST_WATCH).total_seconds()
            swept = await self._turn()
            if swept.next_in == _AT_ONCE:
                return swept
            started = swept.started + await self._watch(until, self._look_every.total_seconds())
        return SweepResult(started=started, applied=swept.applied, next_in=_AT_ONCE)

    async def _watch(self, until: float, every: float) -> int:
        """Repeatedly start due messages that were not started; return how many."""
        started = 0
        while (left := until - monotonic()) > 0:
            try:
                await asyncio.wait_for(activity.wait_for_worker_shutdown(), min(every, left))
            except TimeoutError:
                found = await self._take_unstarted(datetime.now(UTC))
                started += await self._start_all(found)
                started += (await self._run(self._urgent))[0]
            else:
                break
        return started

    async def _take_unstarted(self, now: datetime) -> Sequence[SendStart]:
        async with self._database.transaction() as db:
            return await sweep_messages.take_unstarted(
                db, now=now, grace=self._grace, longest=_LONGEST_GAP, most=_MOST
            )

    async def _turn(self) -> SweepResult:
        """Start stalled messages and sender queues, apply open reports, run every other task."""
        now = datetime.now(UTC)
        unstarted = await self._take_unstarted(now)
        async with self._database.transaction() as db:
            stalled = await sweep_messages.take_stalled(
                db, now=now, grace=self._grace, longest=_LONGEST_GAP, most=_MOST
            )
        async with self._database.read() as db:
            busy = await sender_queue.nonempty_queues(db)
        async with self._database.transaction() as db:
            reported = await receipts.take_open(db, now=now, grace=self._grace, most=_MOST)
        started = await self._start_all([*unstarted, *stalled])
        await act_on_each(self._start_sender_queue, busy, at_once=_MOST)
        applied = await act_on_each(self._apply, reported, at_once=_REPORTS_AT_ONCE)
        reports = sum(receipt.receipts for receipt in reported)
        full = _MOST in (len(unstarted), len(stalled), reports)
        resumed, full_task = await self._run(self._tasks)
        full = full or full_task
        for expiry in self._expiries:
            full = await _delete(expiry, now) == _MOST or full
        return SweepResult(
            started=started + resumed,
            applied=applied,
            next_in=_AT_ONCE if full else self._every,
        )

    async def _run(self, tasks: Sequence[SweepTask[Any]]) -> tuple[int, bool]:
        """Run tasks; return how many rows they resumed, and whether one may have more."""
        resumed, full = 0, False
        for task in tasks:
            rows = await _take(task, datetime.now(UTC))
            resumed += await act_on_each(task.resume, rows, at_once=_MOST)
            full = full or len(rows) >= _MOST
        return resumed, full

    async def _start_all(self, messages: Sequence[SendStart]) -> int:
        """Start messages in order, a few at a time; return how many were started.

        The failure of one does not affect the others. If Temporal is unavailable, the rest is left
        for the next turn.
        """
        coming, failed, started = iter(messages), [], 0

        async def start_remaining() -> None:
            nonlocal started
            for message in coming:
                try:
                    moved = await asyncio.wait_for(self._start(message), _START_PATIENCE)
                except Exception as error:
                    failed.append(message)
                    log.error(
                        "the workflow of a message could not be started",
                        exc_info=error,
                    )
                    if isinstance(error, TimeoutError) or _is_away(error):
                        return
                else:
                    started += moved

        await asyncio.gather(
            *(start_remaining() for _ in range(min(_STARTS_AT_ONCE, len(messages))))
        )
        now = datetime.now(UTC)
        await self._put_back(failed, now + _START_AGAIN)
        await self._put_back(list(coming), now)
        return started

    async def _put_back(self, messages: Sequence[SendStart], sweep_at: datetime) -> None:
        ids = [(message.tenant_id, message.message_id) for message in messages]
        if ids:
            async with self._database.transaction() as db:
                await sweep_messages.reschedule(db, ids, sweep_at, later=False)

    async def _start_sender_queue(self, queue: SenderQueueKey) -> bool:
        """Start the workflow of a nonempty sender queue unless it is running."""
        await start_sender_queue(
            self._client,
            SenderQueueStep(
                tenant_id=queue.tenant_id,
                sender_id=queue.sender_id,
                sender_public_id=queue.sender_public_id,
                channel=queue.channel,
            ),
        )
        return True

    async def _start(self, message: SendStart) -> bool:
        """Start a message's workflow unless it is running; a failed one is started again."""
        started = await start_send(
            self._client,
            message,
            self._waits,
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        )
        if not started and await self._is_open(message):
            STRANDED.inc()
            # no worker will take it, so it must not count as late
            async with self._database.statement() as db:
                await waiting.postpone(
                    db,
                    tenant_id=message.tenant_id,
                    message_id=message.message_id,
                    ready_at=None,
                )
            log.error(
                "a finished workflow left its message open",
                extra={"message_id": message.public_id, "tenant_id": message.tenant_id},
            )
        return started

    async def _is_open(self, message: SendStart) -> bool:
        """Check again: it may have ended while its workflow was being started."""
        async with self._database.read() as db:
            return await sweep_messages.is_open(
                db, tenant_id=message.tenant_id, message_id=message.message_id
            )

    async def _apply(self, receipt: OpenReceipt) -> bool:
        """Signal the message's workflow, or apply the report here if the workflow has completed.

        The workflow of a chunk looks for the reports of its members without a signal.
        """
        if receipt.in_chunk and not receipt.completed:
            return False
        identity = receipt.message
        if not receipt.completed:
            await wake_send(self._client, identity.workflow_id, SendSignal.REPORTED)
            return True
        now = datetime.now(UTC)
        lock_scope = LockScope(identity.tenant_id, identity.merchant_id or None, "late")
        async with self._database.transaction(lock_scope) as db:
            message = await settlement_facts.lock_for_settlement(
                db, tenant_id=identity.tenant_id, message_id=identity.message_id
            )
            if message is not None:
                await late_reports.apply_late_reports(
                    db, message, now, price_reporters=self._routes.price_reporters
                )
        return True
