"""Schemas of the events that integrators are sent by webhook."""

from datetime import date
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import Field, create_model

from api.schemas.alerts import AlertView
from api.schemas.base import Instant, View
from api.schemas.billing import MerchantUpgradeView
from api.schemas.consents import ConsentView
from api.schemas.inbound import InboundMessageView
from api.schemas.messages import MessageView
from api.schemas.messaging_numbers import V1MerchantMessagingStatusView
from models.enums import WebhookEventType

Data = TypeVar("Data", bound=View)


class WebhookEvent(View, Generic[Data]):
    """An event. It is sent at least once, with the headers of Standard Webhooks."""

    id: str = Field(
        description="Identifier of the event, a decimal string; the same in the header "
        "`webhook-id` and each time the event is sent. Use it to drop repetitions.",
        examples=["2745120938866531"],
    )
    type: WebhookEventType = Field(description="Type of the event.", examples=["message.delivered"])
    created_at: Instant = Field(
        description="Time of the event.", examples=["2026-04-16T13:20:34.020Z"]
    )
    data: Data = Field(description="What the event is about, as the API shows it.")


class UsageFinalizedView(View):
    """A day whose usage is FINAL."""

    day: date = Field(description="The day, in UTC.", examples=["2026-04-16"])
    merchants: list[str] = Field(
        description="The merchants with usage on that day, in alphabetical order; at most 500.",
        examples=[["gym-a", "gym-b"]],
    )
    merchant_count: int = Field(
        description="Number of merchants with usage on that day.", examples=[2]
    )


class WebhookTestView(View):
    """Data of a test event."""

    message: str = Field(description="A fixed text.", examples=["This is a test event."])


DATA_OF: dict[WebhookEventType, type[View]] = {
    WebhookEventType.MESSAGE_ACCEPTED: MessageView,
    WebhookEventType.MESSAGE_SENT: MessageView,
    WebhookEventType.MESSAGE_DELIVERED: MessageView,
    WebhookEventType.MESSAGE_UNDELIVERED: MessageView,
    WebhookEventType.MESSAGE_FAILED: MessageView,
    WebhookEventType.MESSAGE_UNKNOWN: MessageView,
    WebhookEventType.MESSAGE_CANCELED: MessageView,
    WebhookEventType.MESSAGE_INBOUND: InboundMessageView,
    WebhookEventType.CONSENT_CHANGED: ConsentView,
    WebhookEventType.UPGRADE_SUCCEEDED: MerchantUpgradeView,
    WebhookEventType.UPGRADE_FAILED: MerchantUpgradeView,
    WebhookEventType.USAGE_FINALIZED: UsageFinalizedView,
    WebhookEventType.COMPLIANCE_CHANGED: V1MerchantMessagingStatusView,
    WebhookEventType.ALERT_RAISED: AlertView,
    WebhookEventType.ALERT_RESOLVED: AlertView,
    WebhookEventType.WEBHOOK_TEST: WebhookTestView,
}
"""The view in `data` of each type of event."""


def _schema(of: WebhookEventType) -> type[WebhookEvent[Any]]:
    """Return the schema of an event of one type, such as MessageDeliveredWebhook."""
    name = "".join(part.capitalize() for part in of.value.split("."))
    generic: Any = WebhookEvent
    only: Any = Literal
    description = WebhookEvent.model_fields["type"].description
    schema: Any = create_model(
        f"{name.removeprefix('Webhook')}Webhook",
        __base__=generic[DATA_OF[of]],
        __doc__=f"The event `{of.value}`. It is sent at least once.",
        type=(only[of], Field(description=description, examples=[of.value])),
    )
    return cast(type[WebhookEvent[Any]], schema)


EVENT_SCHEMAS: dict[WebhookEventType, type[WebhookEvent[Any]]] = {
    type: _schema(type) for type in WebhookEventType
}
"""The schema of each type of event."""
