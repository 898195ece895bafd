"""The step that delivers webhooks."""

from temporalio import activity

from activities.webhooks.turn import Tools, Turn
from activities.webhooks.turn_clock import TurnClock
from models.queries.webhooks.deliveries_due import EndpointKey
from workflows.heartbeat import heartbeats
from workflows.webhooks.types import DeliverResult, DeliverStep


class WebhookDeliveries:
    """Delivers events to the endpoints of integrators, at least once."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @activity.defn(name="deliver_webhooks")
    async def deliver_webhooks(self, step: DeliverStep) -> DeliverResult:
        """Attempt the deliveries of an endpoint that are due, for a few seconds.

        Repeated, it attempts those again whose outcome was not stored, with the same `webhook-id`.
        """
        endpoint = EndpointKey(
            tenant_id=step.tenant_id, endpoint_id=step.endpoint_id, public_id=step.public_id
        )
        async with heartbeats():
            return await Turn(self._tools, endpoint, TurnClock(step.at, activity.info())).run()
