"""The life of one accepted message."""

import contextlib
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

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


@workflow.defn(name="send-message")
class SendMessage:
    """Carry one accepted message to exactly one end.

    wait → dispatch → (reconcile) → wait for the report → settle. The row in Postgres is the judge
    at every step; this is the hand that makes it move.
    """

    @workflow.init
    def __init__(self, order: SendInput) -> None:
        self._order = order
        self._waits = order.waits
        self._reported = False
        self._row_changed = False
        self._taken_at: datetime | None = None
        self._error_code: ErrorCode | None = None

    @workflow.run
    async def run(self, order: SendInput) -> MessageStatus:
        """Return the status the message ended with."""
        ending = await self._deliver()
        settled = await self._settle(ending)
        while not settled.completed:
            # Not refused after all: another attempt is under way. Else more reports are to come.
            refused = ending in (Ending.REFUSED, Ending.BLOCKED)
            ending = await (self._deliver() if refused else self._report())
            settled = await self._settle(ending)
        workflow.upsert_search_attributes([names.OUTCOME.value_set(settled.status)])
        return settled.status

    @workflow.signal
    def delivery_reported(self) -> None:
        """Wake up: a report is stored."""
        self._reported = True

    @workflow.signal
    def row_changed(self) -> None:
        """Look at the row again: it was canceled, or its turn has come."""
        self._row_changed = True

    async def _deliver(self) -> Ending:
        """Dispatch until a provider surely has the message, or nobody may have it."""
        while True:
            handed = await self._dispatch()
            match handed.verdict:
                case Verdict.ACCEPTED:
                    return await self._report()
                case Verdict.REFUSED | Verdict.BLOCKED:
                    self._error_code = handed.error_code
                    return Ending(handed.verdict)
                case Verdict.OVER:
                    return Ending.OVER
                case Verdict.LATER | Verdict.BUSY:
                    await self._pause(handed.until, "wait until due")
                case Verdict.LINE:
                    await self._pause(handed.until, "wait for a slot of the sender")
                case Verdict.AMBIGUOUS:
                    finding = await self._reconcile()
                    if finding is Finding.FOUND:
                        return await self._report()
                    if finding is Finding.UNCERTAIN:
                        return Ending.GIVEN_UP

    async def _dispatch(self) -> DispatchResult:
        """Try once on the fast path; if the provider is busy, in its own queue.

        Nothing is in hand here but the order, so a long history may be cut off.
        """
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(self._order)
        step = DispatchStep(
            tenant_id=self._order.tenant_id,
            message_id=self._order.message_id,
            merchant_id=self._order.merchant_id,
        )
        handed = await workflow.execute_local_activity(steps.dispatch, step, **policies.DISPATCH)
        if handed.verdict is Verdict.BUSY and handed.provider is not None:
            handed = await workflow.execute_activity(
                steps.dispatch_queued, step, **policies.dispatch_queued(handed.provider)
            )
        self._reported = self._reported or handed.reported
        return handed

    async def _reconcile(self) -> Finding:
        """Ask for the truth of a lost answer until it is known or the horizon is reached."""
        since = workflow.now()
        step = ReconcileStep(tenant_id=self._order.tenant_id, message_id=self._order.message_id)
        while True:
            self._reported = False  # what is stored by now, the step reads itself
            result = await self._ask_truth(step)
            self._reported = self._reported or result.reported
            if result.finding is not Finding.UNCERTAIN or self._past_horizon(since):
                return result.finding
            # A report is proof as well: its signal ends the wait, and the next look reads it.
            await self._reported_within(self._gap(since, self._waits.reconcile_every))

    async def _report(self) -> Ending:
        """Wait until what became of the message is stored, asking when nobody tells."""
        since = self._taken_at = self._taken_at or workflow.now()
        patience = self._waits.report_wait
        step = PollStep(tenant_id=self._order.tenant_id, message_id=self._order.message_id)
        while not self._reported and not await self._reported_within(patience):
            if await self._ask_report(step):
                break
            if self._past_horizon(since):
                return Ending.GIVEN_UP
            patience = self._gap(since, self._waits.poll_first)
        self._reported = False
        return Ending.REPORTED

    async def _ask_truth(self, step: ReconcileStep) -> ReconcileResult:
        """Ask once; a step that cannot be done proves nothing, and the horizon comes anyway."""
        try:
            return await workflow.execute_activity(steps.reconcile, step, **policies.RECONCILE)
        except ActivityError:
            return ReconcileResult(finding=Finding.UNCERTAIN)

    async def _ask_report(self, step: PollStep) -> bool:
        """Ask once; a step that cannot be done tells nothing, and the horizon comes anyway."""
        try:
            polled = await workflow.execute_activity(steps.poll, step, **policies.POLL)
        except ActivityError:
            return False
        return polled.reported

    async def _settle(self, ending: Ending) -> SettleResult:
        """Write the end, or learn from the row how it ended."""
        return await workflow.execute_local_activity(
            steps.settle,
            SettleStep(
                tenant_id=self._order.tenant_id,
                message_id=self._order.message_id,
                ending=ending,
                error_code=self._error_code,
                merchant_id=self._order.merchant_id,
            ),
            **policies.SETTLE,
        )

    async def _reported_within(self, patience: timedelta) -> bool:
        try:
            await workflow.wait_condition(
                lambda: self._reported, timeout=patience, timeout_summary="wait for a report"
            )
        except TimeoutError:
            return False
        return True

    async def _pause(self, until: datetime | None, summary: str) -> None:
        """Wait for the hour, at least a moment: a loop without a wait would never end."""
        shortest = timedelta(milliseconds=100)
        wait = shortest if until is None else max(until - workflow.now(), shortest)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._row_changed, timeout=wait, timeout_summary=summary
            )
        self._row_changed = False

    def _past_horizon(self, since: datetime) -> bool:
        return workflow.now() - since >= self._waits.reconcile_horizon

    def _gap(self, since: datetime, first: timedelta) -> timedelta:
        """Grow with the time already spent, so that days of asking leave a short history."""
        return min(max(first, (workflow.now() - since) / 4), self._waits.poll_longest)
