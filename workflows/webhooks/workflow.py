"""Delivers the webhooks of one endpoint."""

import contextlib
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.webhooks.types import DeliverResult, DeliverStep, WebhookEndpointInput

TURNS = 300
"""Turns per run, to keep the history short."""


@workflow.defn(name="deliver-webhooks")
class DeliverWebhooks:
    """Delivers what is due, then waits for the next retry or event; ends if nothing is pending.

    Which deliveries are due, and how often each was attempted, is stored in Postgres.
    """

    @workflow.init
    def __init__(self, endpoint: WebhookEndpointInput) -> None:
        self._endpoint = endpoint
        self._event_recorded = False

    @workflow.run
    async def run(self, endpoint: WebhookEndpointInput) -> None:
        """Deliver turn by turn."""
        for _ in range(TURNS):
            self._event_recorded = False
            turn = await self._deliver()
            if turn.next_in is None:
                if not self._event_recorded:
                    return
            elif turn.pausing:
                await workflow.sleep(turn.next_in, summary="pause, the endpoint fails")
            elif turn.next_in > timedelta(0):
                await self._event_or_timer(turn.next_in)
        workflow.continue_as_new(self._endpoint)

    async def _deliver(self) -> DeliverResult:
        step = DeliverStep(
            tenant_id=self._endpoint.tenant_id,
            endpoint_id=self._endpoint.endpoint_id,
            public_id=self._endpoint.public_id,
            at=workflow.now(),
        )
        return await workflow.execute_activity(
            steps.deliver_webhooks, step, **policies.DELIVER_WEBHOOKS
        )

    async def _event_or_timer(self, wait: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._event_recorded, timeout=wait, timeout_summary="next retry"
            )

    @workflow.signal
    def event_recorded(self) -> None:
        """An event was recorded while no delivery was due: run another turn."""
        self._event_recorded = True
