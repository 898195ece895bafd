"""Describes the events of webhooks in the section `webhooks` of the OpenAPI document."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI, Response
from pydantic.alias_generators import to_camel

from api.schemas.webhook_events import EVENT_SCHEMAS
from models.enums import WebhookEventType

_SUMMARIES: Final = {
    WebhookEventType.MESSAGE_ACCEPTED: "A message was accepted",
    WebhookEventType.MESSAGE_SENT: "A provider has taken a message",
    WebhookEventType.MESSAGE_DELIVERED: "A message was delivered",
    WebhookEventType.MESSAGE_UNDELIVERED: "A message was not delivered",
    WebhookEventType.MESSAGE_FAILED: "A message failed",
    WebhookEventType.MESSAGE_UNKNOWN: "The outcome of a message is unknown",
    WebhookEventType.MESSAGE_CANCELED: "A message was canceled",
    WebhookEventType.MESSAGE_INBOUND: "A recipient sent a text message to one of your numbers",
    WebhookEventType.CONSENT_CHANGED: "A consent was recorded",
    WebhookEventType.UPGRADE_SUCCEEDED: "The credits of an upgrade were granted",
    WebhookEventType.UPGRADE_FAILED: "An upgrade ended without credits",
    WebhookEventType.USAGE_FINALIZED: "The usage of a day is FINAL",
    WebhookEventType.COMPLIANCE_CHANGED: "A merchant's 10DLC registration changed",
    WebhookEventType.ALERT_RAISED: "An alert was raised",
    WebhookEventType.ALERT_RESOLVED: "An alert was resolved",
    WebhookEventType.WEBHOOK_TEST: "A test event that you asked for",
}

_HEADERS: Final[list[dict[str, Any]]] = [
    {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string", "examples": [example]},
    }
    for name, description, example in (
        (
            "webhook-id",
            "Identifier of the event; the same each time it is sent.",
            "2745120938866531",
        ),
        ("webhook-timestamp", "Time of this attempt, in seconds since 1970.", "1776345634"),
        (
            "webhook-signature",
            "Signatures of Standard Webhooks, separated by spaces; two while a rotated secret is "
            "still valid.",
            "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        ),
    )
]


def describe_events(app: FastAPI) -> None:
    """Add an operation of each type of event to the `webhooks` section."""
    for type, summary in _SUMMARIES.items():
        app.webhooks.add_api_route(
            type.value,
            _operation(type),
            methods=["POST"],
            summary=summary,
            tags=["Webhooks"],
            name=type.value.replace(".", "_"),
            operation_id=to_camel(type.value.replace(".", "_")),
            response_class=Response,
            description="Sent to your endpoint. Answer with a 2xx status within 15 seconds; "
            "otherwise it is sent again.",
            response_description="Received.",
            openapi_extra={"parameters": _HEADERS},
        )


def _operation(type: WebhookEventType) -> Callable[..., None]:
    """Return a function with the parameters that FastAPI describes; it is never called."""

    def receive(event: Any) -> None:
        raise NotImplementedError

    receive.__annotations__ = {"event": EVENT_SCHEMAS[type], "return": None}
    return receive
