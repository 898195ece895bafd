"""The workflow of a purchase of credits, which ends granted, uncharged or refunded.

A refund that the gateway refuses ends it as well: the row keeps that it is owed.
"""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.enums import PaymentStatus
    from models.rules.billing.payments import PaymentAction
    from workflows import names, policies, steps
    from workflows.billing.types import PaymentProgress, UpgradeInput, UpgradeStep


@workflow.defn(name="upgrade")
class Upgrade:
    """Drive one payment to its terminal status.

    charge → wait for the outcome → grant, or refund. The row in Postgres decides: each activity
    returns the next action.
    """

    @workflow.init
    def __init__(self, input: UpgradeInput) -> None:
        self._input = input
        self._waits = input.waits
        self._step = UpgradeStep(
            tenant_id=input.tenant_id,
            payment_id=input.payment_id,
            public_id=input.public_id,
            mismatch_wait=input.waits.mismatch_wait,
            refund_wait=input.waits.refund_wait,
        )
        self._reported = False

    @workflow.run
    async def run(self, input: UpgradeInput) -> PaymentStatus:
        """Return the status the payment ended with."""
        progress = await self._charge()
        while progress.next_action is not PaymentAction.NONE:
            progress = await self._do(progress)
        workflow.upsert_search_attributes([names.OUTCOME.value_set(progress.status)])
        return progress.status

    @workflow.signal
    def payment_reported(self) -> None:
        """The row has changed: end the wait."""
        self._reported = True

    async def _do(self, progress: PaymentProgress) -> PaymentProgress:
        """Perform the next action until it changes; return the progress."""
        waits = self._waits
        match progress.next_action:
            case PaymentAction.CHARGE:
                again = waits.retry_every
                return await self._repeat(self._charge, progress, again, again, "wait to charge")
            case PaymentAction.AWAIT:
                first, then = waits.news_wait, waits.poll_first
                return await self._repeat(self._ask, progress, first, then, "wait for the gateway")
            case PaymentAction.CANCEL_CHARGE:
                again = waits.retry_every
                return await self._repeat(
                    self._cancel_charge, progress, again, again, "wait to cancel"
                )
            case PaymentAction.GRANT:
                return await self._grant()
            case PaymentAction.REFUND:
                progress, again = await self._refund(), waits.retry_every
                return await self._repeat(self._refund, progress, again, again, "wait to refund")
            case PaymentAction.NONE:
                return progress

    async def _repeat(
        self,
        step: Callable[[], Awaitable[PaymentProgress]],
        progress: PaymentProgress,
        first: timedelta,
        then: timedelta,
        summary: str,
    ) -> PaymentProgress:
        """Wait and repeat an activity, with growing gaps, until the next action changes.

        The workflow has no state besides its input here, so it may continue as new.
        """
        next_action, since, wait = progress.next_action, workflow.now(), first
        while progress.next_action is next_action and next_action is not PaymentAction.NONE:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._input)
            await self._pause(max(wait, progress.retry_after or wait), summary)
            progress = await step()
            wait = min(max(then, (workflow.now() - since) / 4), self._waits.poll_longest)
        return progress

    async def _charge(self) -> PaymentProgress:
        """Ask the gateway to charge, unless the purchase was accepted too long ago."""
        if self._past_horizon():
            return await self._cancel_charge()
        return await workflow.execute_local_activity(steps.charge, self._step, **policies.CHARGE)

    async def _ask(self) -> PaymentProgress:
        """Read the state of the charge or ask the gateway; past the horizon, cancel the charge."""
        progress = await workflow.execute_activity(
            steps.await_payment, self._step, **policies.AWAIT_PAYMENT
        )
        if progress.next_action is PaymentAction.AWAIT and self._past_horizon():
            return await self._cancel_charge()
        return progress

    async def _cancel_charge(self) -> PaymentProgress:
        return await workflow.execute_activity(
            steps.cancel_charge, self._step, **policies.CANCEL_CHARGE
        )

    async def _grant(self) -> PaymentProgress:
        return await workflow.execute_local_activity(steps.grant, self._step, **policies.GRANT)

    async def _refund(self) -> PaymentProgress:
        return await workflow.execute_activity(steps.refund, self._step, **policies.REFUND)

    async def _pause(self, wait: timedelta, summary: str) -> None:
        """Wait; the signal ends it."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._reported, timeout=wait, timeout_summary=summary
            )
        self._reported = False

    def _past_horizon(self) -> bool:
        return workflow.now() - self._input.accepted_at >= self._waits.horizon
