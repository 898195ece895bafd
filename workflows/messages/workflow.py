"""The workflow of one accepted message."""

import contextlib
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeout

with workflow.unsafe.imports_passed_through():
    from models.enums import ErrorCode, MessageStatus
    from workflows import names, policies, steps
    from workflows.messages.types import (
        DispatchResult,
        DispatchStep,
        Ending,
        Finding,
        PollStep,
        ReconcileResult,
        ReconcileStep,
        SendInput,
        SettleResult,
        SettleStep,
        Verdict,
    )


def never_started(error: ActivityError) -> bool:
    """Return whether no worker took the activity from its task queue in time."""
    cause = error.cause
    return isinstance(cause, ActivityTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START


@workflow.defn(name="send-message")
class SendMessage:
    """Drive one accepted message to exactly one terminal status.

    wait → dispatch → (reconcile) → wait for the report → settle. Every activity decides by the row
    in Postgres, which is the source of truth.
    """

    @workflow.init
    def __init__(self, input: SendInput) -> None:
        self._input = input
        self._waits = input.waits
        self._reported = False
        self._row_changed = False
        self._taken_at: datetime | None = None
        self._error_code: ErrorCode | None = None
        self._settled: SettleResult | None = None

    @workflow.run
    async def run(self, input: SendInput) -> MessageStatus:
        """Return the status the message ended with."""
        ending = await self._deliver()
        settled = await self._settle(ending)
        while not settled.completed:
            # A refused message has another attempt under way; otherwise more reports are
            # outstanding.
            refused = ending in (Ending.REFUSED, Ending.BLOCKED)
            ending = await (self._deliver() if refused else self._await_report())
            settled = await self._settle(ending)
        if settled.status is not MessageStatus.DELIVERED:  # the usual end is found without it
            workflow.upsert_search_attributes([names.OUTCOME.value_set(settled.status)])
        return settled.status

    @workflow.signal
    def delivery_reported(self) -> None:
        """A report is stored: end the wait for it."""
        self._reported = True

    @workflow.signal
    def row_changed(self) -> None:
        """The row was changed (canceled, or a slot was granted): read it again."""
        self._row_changed = True

    async def _deliver(self) -> Ending:
        """Dispatch until a provider has accepted the message, or none may."""
        while True:
            result = await self._dispatch_again()
            match result.verdict:
                case Verdict.ACCEPTED:
                    return await self._await_report()
                case Verdict.REFUSED | Verdict.BLOCKED:
                    self._error_code = result.error_code
                    return Ending(result.verdict)
                case Verdict.OVER:
                    return Ending.OVER
                case Verdict.LATER | Verdict.BUSY:
                    await self._pause(result.until, "wait until due")
                case Verdict.QUEUED_FOR_SENDER:
                    await self._pause(result.until, "queued for the sender")
                case Verdict.AMBIGUOUS:
                    finding = await self._reconcile()
                    if finding is Finding.FOUND:
                        return await self._await_report()
                    if finding is Finding.UNCERTAIN:
                        return Ending.GIVEN_UP

    async def _dispatch_again(self) -> DispatchResult:
        """Dispatch; a dispatch that waited too long in an account's queue is decided anew.

        Nothing was done in that queue. The account may have been taken out meanwhile.
        """
        try:
            return await self._dispatch()
        except ActivityError as error:
            if never_started(error):
                return DispatchResult(verdict=Verdict.LATER)
            raise

    async def _dispatch(self) -> DispatchResult:
        """Try once on the fast path; if the provider is busy, on its own task queue.

        The workflow has no state besides its input here, so it may continue as new.
        """
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(self._input)
        step = DispatchStep(
            tenant_id=self._input.tenant_id,
            message_id=self._input.message_id,
            merchant_id=self._input.merchant_id,
            public_id=self._input.public_id,
        )
        result = await workflow.execute_local_activity(steps.dispatch, step, **policies.DISPATCH)
        if result.verdict is Verdict.BUSY and result.provider is not None:
            result = await workflow.execute_activity(
                steps.dispatch_queued,
                replace(step, budget=result.budget),
                **policies.dispatch_queued(result.provider, result.budget),
            )
        self._reported = self._reported or result.reported
        self._settled = result.settled
        return result

    async def _reconcile(self) -> Finding:
        """Reconcile a lost answer until the outcome is known or the horizon is reached."""
        since = workflow.now()
        step = ReconcileStep(
            tenant_id=self._input.tenant_id,
            message_id=self._input.message_id,
            public_id=self._input.public_id,
        )
        while True:
            self._reported = False  # the activity itself reads stored reports
            result = await self._look_up_outcome(step)
            self._reported = self._reported or result.reported
            if result.finding is not Finding.UNCERTAIN or self._past_horizon(since):
                return result.finding
            # A report is proof too: its signal ends the wait, and the next activity reads it.
            await self._reported_within(self._next_wait(since, self._waits.reconcile_every))

    async def _await_report(self) -> Ending:
        """Wait until a final report is stored; poll the provider if none arrives."""
        since = self._taken_at = self._taken_at or workflow.now()
        wait = self._waits.report_wait
        step = PollStep(
            tenant_id=self._input.tenant_id,
            message_id=self._input.message_id,
            public_id=self._input.public_id,
        )
        while not self._reported and not await self._reported_within(wait):
            if await self._poll(step):
                break
            if self._past_horizon(since):
                return Ending.GIVEN_UP
            wait = self._next_wait(since, self._waits.poll_first)
        self._reported = False
        return Ending.REPORTED

    async def _look_up_outcome(self, step: ReconcileStep) -> ReconcileResult:
        """Look up once. A failed activity proves nothing; the horizon bounds the retries."""
        try:
            return await workflow.execute_activity(steps.reconcile, step, **policies.RECONCILE)
        except ActivityError:
            return ReconcileResult(finding=Finding.UNCERTAIN)

    async def _poll(self, step: PollStep) -> bool:
        """Poll once. A failed activity reports nothing; the horizon bounds the retries."""
        try:
            polled = await workflow.execute_activity(steps.poll, step, **policies.POLL)
        except ActivityError:
            return False
        return polled.reported

    async def _settle(self, ending: Ending) -> SettleResult:
        """Settle the message, or read how it was settled, unless the dispatch has done so."""
        if self._settled is not None:
            return self._settled
        return await workflow.execute_local_activity(
            steps.settle,
            SettleStep(
                tenant_id=self._input.tenant_id,
                message_id=self._input.message_id,
                ending=ending,
                error_code=self._error_code,
                merchant_id=self._input.merchant_id,
                public_id=self._input.public_id,
            ),
            **policies.SETTLE,
        )

    async def _reported_within(self, wait: timedelta) -> bool:
        try:
            await workflow.wait_condition(
                lambda: self._reported, timeout=wait, timeout_summary="wait for a report"
            )
        except TimeoutError:
            return False
        return True

    async def _pause(self, until: datetime | None, summary: str) -> None:
        """Wait until a time or a signal, but at least 100 ms, to prevent a busy loop."""
        shortest = timedelta(milliseconds=100)
        wait = shortest if until is None else max(until - workflow.now(), shortest)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._row_changed, timeout=wait, timeout_summary=summary
            )
        self._row_changed = False

    def _past_horizon(self, since: datetime) -> bool:
        return workflow.now() - since >= self._waits.reconcile_horizon

    def _next_wait(self, since: datetime, first: timedelta) -> timedelta:
        """Return a wait that grows with the elapsed time, to keep the history short."""
        return min(max(first, (workflow.now() - since) / 4), self._waits.poll_longest)
