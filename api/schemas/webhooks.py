"""Request and response schemas of webhook endpoints and their deliveries."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, WithJsonSchema

from api.schemas.base import GivenInstant, Instant, MerchantId, RequestBody, View
from api.schemas.text_types import OneLine
from models.enums import WebhookDeliveryStatus, WebhookDisabledReason, WebhookEventType
from models.rules.webhooks.urls import LONGEST_URL


def _each_once(types: list[WebhookEventType]) -> list[WebhookEventType]:
    if len(set(types)) < len(types):
        raise ValueError("must name each type once")
    return types


ChosenEvents = Annotated[
    list[WebhookEventType],
    Field(max_length=len(WebhookEventType)),
    AfterValidator(_each_once),
]
Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_URL),
    WithJsonSchema({"type": "string", "format": "uri", "maxLength": LONGEST_URL}),
]
"""The service checks it, because what is allowed depends on a setting."""
Description = Annotated[OneLine, StringConstraints(max_length=200)]

_URL_RULES: Final = (
    "Where events are posted: `https://`, with a public host, without credentials and fragment."
)
_URL: Final = "https://gym-a.example.com/hooks/hexavox"
_EVENTS: Final = (
    "Types of events that are sent; empty: all, also those of later versions. `webhook.test` is "
    "sent on request, whether it is listed or not."
)


class V1WebhookRequest(RequestBody):
    """A webhook endpoint to create."""

    url: Url = Field(description=_URL_RULES, examples=[_URL])
    events: ChosenEvents = Field(
        default=[],
        description=f"{_EVENTS} Default: all.",
        examples=[["message.delivered", "message.inbound"]],
        json_schema_extra={"uniqueItems": True},
    )
    merchant_id: MerchantId | None = Field(
        default=None,
        description="Sends only the events of this merchant. Default: the merchant of a "
        "merchant-scoped key, or the events of the whole tenant.",
        examples=["gym-a"],
    )
    description: Description | None = Field(
        default=None,
        description="Your own note, at most 200 characters.",
        examples=["Status updates of the shop"],
    )
    active: StrictBool = Field(
        default=True,
        description="Whether events are sent. Those of an inactive endpoint are recorded, and can "
        "be delivered on request for 30 days. Default: true.",
        examples=[True],
    )


class V1WebhookUpdateRequest(RequestBody):
    """Changes of a webhook endpoint. Absent fields are unchanged."""

    shown = ("events", "active")

    url: Url = Field(default="", description=_URL_RULES, examples=[_URL])
    events: ChosenEvents = Field(
        default=[],
        description=_EVENTS,
        examples=[["message.delivered", "message.inbound"]],
    )
    description: Description | None = Field(
        default=None,
        description="Your own note, at most 200 characters. Null removes it.",
        examples=["Status updates of the shop"],
    )
    active: StrictBool = Field(
        default=True,
        description="true: events are sent again, also if the endpoint was disabled. false: "
        "nothing is sent, and pending deliveries fail.",
        examples=[True],
    )


class WebhookView(View):
    """A webhook endpoint."""

    webhook_id: str = Field(
        description="Identifier of the endpoint, a decimal string.", examples=["1745120938866531"]
    )
    url: str = Field(description="Where events are posted.", examples=[_URL])
    events: list[WebhookEventType] = Field(
        description="Types of events that are sent; empty: all.",
        examples=[["message.delivered", "message.inbound"]],
    )
    merchant_id: str | None = Field(
        description="The merchant whose events are sent. Null: those of the whole tenant.",
        examples=["gym-a"],
    )
    description: str | None = Field(
        description="Your own note, or null.", examples=["Status updates of the shop"]
    )
    active: bool = Field(description="Whether events are sent.", examples=[True])
    disabled_reason: WebhookDisabledReason | None = Field(
        description="Why the endpoint was disabled automatically. FAILING: no delivery succeeded "
        "for 5 days. GONE: it answered 410. Null if it is active, or was made inactive by you.",
        examples=[None],
    )
    created_at: Instant = Field(
        description="Time at which it was created.", examples=["2026-04-16T13:20:32.942Z"]
    )


class WebhookSecretView(WebhookView):
    """A webhook endpoint with its new secret."""

    secret: str | None = Field(
        default=None,
        description="The secret that deliveries are signed with, as Standard Webhooks says. Only "
        "in the response that creates or rotates it; a replayed response does not have it.",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],
    )


class WebhookDeliveryView(View):
    """The delivery of one event to one endpoint, with its last attempt."""

    delivery_id: str = Field(
        description="Identifier of the delivery, a decimal string.", examples=["3364264052715392"]
    )
    event_id: str = Field(
        description="Identifier of the event: `id` in the body and the header `webhook-id`. It is "
        "the same for every attempt and every redelivery.",
        examples=["2745120938866531"],
    )
    type: WebhookEventType = Field(description="Type of the event.", examples=["message.delivered"])
    status: WebhookDeliveryStatus = Field(
        description="PENDING: it is sent, or sent again, later. SUCCEEDED: the endpoint answered "
        "with 2xx. FAILED: all attempts failed, or the endpoint was not active.",
        examples=["SUCCEEDED"],
    )
    attempts: int = Field(
        description="Number of attempts; a redelivery counts from 0 again.", examples=[1]
    )
    last_status_code: int | None = Field(
        description="HTTP status of the last answer. Null if there was none.", examples=[204]
    )
    last_error: str | None = Field(
        description="Why the last attempt failed, such as TIMEOUT, TLS or HTTP_STATUS, or why none "
        "was made. Null if it succeeded, or none was made yet.",
        examples=[None],
    )
    last_duration_ms: int | None = Field(
        description="Duration of the last attempt in milliseconds. Null if none was made.",
        examples=[87],
    )
    last_response: str | None = Field(
        description="The first 1,024 bytes of the last answer's body. Null if there was none.",
        examples=["ok"],
    )
    next_attempt_at: Instant | None = Field(
        description="Time of the next attempt. Null if none follows, and while an earlier event of "
        "the same message is pending.",
        examples=["2026-04-16T13:25:32.942Z"],
    )
    created_at: Instant = Field(
        description="Time of the event.", examples=["2026-04-16T13:20:32.942Z"]
    )


class V1WebhookRedeliverRequest(RequestBody):
    """A range of time whose events are delivered again."""

    since: GivenInstant = Field(
        description="Time of the first event, inclusive; at most 30 days ago.",
        examples=["2026-04-16T00:00:00Z"],
    )
    until: GivenInstant | None = Field(
        default=None,
        description="Time of the last event, inclusive. Default: now.",
        examples=["2026-04-16T13:00:00Z"],
    )


class WebhookRedeliveryView(View):
    """How many events are delivered again."""

    count: int = Field(description="Number of deliveries that are pending again.", examples=[412])
    next_since: str | None = Field(
        description="`since` of the request that goes on, if the range has more than 10,000 "
        "deliveries; with microseconds. Null if this was all.",
        examples=["2026-04-16T11:02:41.120944Z"],
        json_schema_extra={"format": "date-time"},
    )
