"""Forbidden edits of a workflow: each makes other decisions than the recorded ones."""

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.enums import MessageStatus
    from workflows import policies, steps
    from workflows.messages.types import DispatchResult, DispatchStep, Ending, SendInput
    from workflows.messages.workflow import SendMessage
    from workflows.webhooks.types import DeliverResult, WebhookEndpointInput
    from workflows.webhooks.workflow import DeliverWebhooks


@workflow.defn(name="send-message")
class SleepsFirst(SendMessage):
    """Waits before it dispatches."""

    @workflow.run
    async def run(self, input: SendInput) -> MessageStatus:
        """Sleep, then go on as before."""
        await workflow.sleep(timedelta(seconds=1))
        return await super().run(input)


@workflow.defn(name="send-message")
class SettlesFirst(SendMessage):
    """Settles before it dispatches."""

    @workflow.run
    async def run(self, input: SendInput) -> MessageStatus:
        """Settle, then go on as before."""
        await self._settle(Ending.OVER)
        return await super().run(input)


@workflow.defn(name="send-message")
class AsksAnotherStep(SendMessage):
    """Dispatches by another step with the same answer."""

    @workflow.run
    async def run(self, input: SendInput) -> MessageStatus:
        """Run as before, with one step replaced."""
        return await super().run(input)

    async def _dispatch(self) -> DispatchResult:
        step = DispatchStep(tenant_id=self._input.tenant_id, message_id=self._input.message_id)
        return await workflow.execute_local_activity(
            steps.dispatch_queued, step, **policies.DISPATCH
        )


@workflow.defn(name="deliver-webhooks")
class WaitsFirst(DeliverWebhooks):
    """Waits before it delivers."""

    @workflow.run
    async def run(self, endpoint: WebhookEndpointInput) -> None:
        """Sleep, then go on as before."""
        await workflow.sleep(timedelta(seconds=1))
        await super().run(endpoint)


@workflow.defn(name="deliver-webhooks")
class IgnoresPauses(DeliverWebhooks):
    """Lets an event end a pause."""

    @workflow.run
    async def run(self, endpoint: WebhookEndpointInput) -> None:
        """Run as before, without pauses."""
        await super().run(endpoint)

    async def _deliver(self) -> DeliverResult:
        return replace(await super()._deliver(), pausing=False)
