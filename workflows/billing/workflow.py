"""The purchase of credits: from the order to credits, to nothing taken, or to money given back."""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.enums import PaymentStatus
    from models.rules.billing.payments import Duty
    from workflows import names, policies, steps
    from workflows.billing.types import PaymentProgress, UpgradeInput, UpgradeStep


@workflow.defn(name="upgrade")
class Upgrade:
    """Carry one payment to its end.

    charge → wait for the gateway's word → grant, or refund. The row in Postgres is the judge at
    every step: each answers with what is to be done next.
    """

    @workflow.init
    def __init__(self, order: UpgradeInput) -> None:
        self._order = order
        self._waits = order.waits
        self._step = UpgradeStep(
            tenant_id=order.tenant_id, payment_id=order.payment_id, public_id=order.public_id
        )
        self._reported = False

    @workflow.run
    async def run(self, order: UpgradeInput) -> PaymentStatus:
        """Return the status the payment ended with."""
        standing = await self._charge()
        while standing.duty is not Duty.NOTHING:
            standing = await self._do(standing)
        workflow.upsert_search_attributes([names.OUTCOME.value_set(standing.status)])
        return standing.status

    @workflow.signal
    def payment_reported(self) -> None:
        """Wake up: the row tells more than before."""
        self._reported = True

    async def _do(self, standing: PaymentProgress) -> PaymentProgress:
        """Do what is due, as long as that takes; return with what is due next."""
        waits = self._waits
        match standing.duty:
            case Duty.CHARGE:
                again = waits.retry_every
                return await self._repeat(self._charge, standing, again, again, "wait to charge")
            case Duty.AWAIT:
                first, then = waits.news_wait, waits.poll_first
                return await self._repeat(self._ask, standing, first, then, "wait for the gateway")
            case Duty.CANCEL_CHARGE:
                again = waits.retry_every
                return await self._repeat(
                    self._cancel_charge, standing, again, again, "wait to cancel"
                )
            case Duty.GRANT:
                return await self._grant()
            case Duty.REFUND:
                standing, again = await self._refund(), waits.retry_every
                return await self._repeat(self._refund, standing, again, again, "wait to refund")
            case Duty.NOTHING:
                return standing

    async def _repeat(
        self,
        step: Callable[[], Awaitable[PaymentProgress]],
        standing: PaymentProgress,
        first: timedelta,
        then: timedelta,
        summary: str,
    ) -> PaymentProgress:
        """Wait and take a step, ever more seldom, until something else is due than before.

        Nothing is in hand here but the order, so a long history may be cut off.
        """
        duty, since, wait = standing.duty, workflow.now(), first
        while standing.duty is duty and duty is not Duty.NOTHING:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._order)
            await self._pause(max(wait, standing.retry_after or wait), summary)
            standing = await step()
            wait = min(max(then, (workflow.now() - since) / 4), self._waits.poll_longest)
        return standing

    async def _charge(self) -> PaymentProgress:
        """Ask the gateway to charge, unless the order is too old to surprise anybody with it."""
        if self._past_horizon():
            return await self._cancel_charge()
        return await workflow.execute_local_activity(steps.charge, self._step, **policies.CHARGE)

    async def _ask(self) -> PaymentProgress:
        """Learn what is known; if that is nothing new, ask the gateway; past the horizon end it."""
        standing = await workflow.execute_activity(
            steps.await_payment, self._step, **policies.AWAIT_PAYMENT
        )
        if standing.duty is Duty.AWAIT and self._past_horizon():
            return await self._cancel_charge()
        return standing

    async def _cancel_charge(self) -> PaymentProgress:
        return await workflow.execute_activity(
            steps.cancel_charge, self._step, **policies.CANCEL_CHARGE
        )

    async def _grant(self) -> PaymentProgress:
        return await workflow.execute_local_activity(steps.grant, self._step, **policies.GRANT)

    async def _refund(self) -> PaymentProgress:
        return await workflow.execute_activity(steps.refund, self._step, **policies.REFUND)

    async def _pause(self, wait: timedelta, summary: str) -> None:
        """Wait, unless there are news."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._reported, timeout=wait, timeout_summary=summary
            )
        self._reported = False

    def _past_horizon(self) -> bool:
        return workflow.now() - self._order.accepted_at >= self._waits.horizon
