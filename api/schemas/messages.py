"""Request and response schemas of messages."""

from typing import Annotated, Final

from pydantic import Field, StrictInt, StringConstraints

from api.schemas.base import GivenInstant, Instant, MerchantId, RequestBody, View
from api.schemas.money import MessagePrice
from api.schemas.text_types import Visible
from models.enums import Channel, ErrorCode, MessageStatus, MessageType

MOST_METADATA: Final = 50
LONGEST_NAME: Final = 40
LONGEST_VALUE: Final = 500
"""Number of pairs of metadata; characters of a name and of a value."""

MetadataName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
MetadataValue = Annotated[str, StringConstraints(max_length=LONGEST_VALUE)]
Metadata = Annotated[dict[MetadataName, MetadataValue], Field(max_length=MOST_METADATA)]
Validity = Annotated[StrictInt, Field(ge=30, le=259_200)]


class V1OmniSmsSendRequest(RequestBody):
    """An SMS of a merchant."""

    merchant_id: MerchantId = Field(description="The merchant that sends.", examples=["gym-a"])
    to: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        description="Phone number of the recipient in E.164 format. Spaces and `( ) . - /` between "
        "digits are ignored.",
        examples=["+18135551234"],
    )
    message: Annotated[str, Field(min_length=1), Visible] = Field(
        description="Text with at least one visible character, at most 10 segments (1,530 GSM-7 "
        "or 670 UCS-2 characters).",
        examples=["Your OTP is 123456"],
    )
    type: MessageType = Field(
        description="Purpose of the message. It decides which consent is required, the priority "
        "and the default validity.",
        examples=["OTP"],
    )
    send_at: GivenInstant | None = Field(
        default=None,
        description="Earliest time to send, at most 30 days ahead. A time in the past means now.",
        examples=["2026-04-16T15:00:00Z"],
    )
    valid_for_seconds: Validity | None = Field(
        default=None,
        description="Seconds from `sendAt`, or else from acceptance, after which the message is no "
        "longer sent and ends FAILED with `errorCode` EXPIRED. Default: 600 for OTP, otherwise "
        "unlimited.",
        examples=[3600],
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Up to 50 key-value pairs of your own, returned with the message. Keys have at "
        "most 40 characters, values 500.",
        examples=[{"orderId": "A-1001"}],
    )


class DispatchResponse(View):
    """An accepted message."""

    merchant_id: str = Field(description="The merchant that sends.", examples=["gym-a"])
    channel: Channel = Field(description="Channel.", examples=["SMS"])
    message_id: str = Field(
        description="Identifier of the message, a decimal string.", examples=["3364264052715392"]
    )
    status: MessageStatus = Field(
        description="Current status. A replayed request returns the status at the time of the "
        "replay.",
        examples=["QUEUED"],
    )


class MessageEvent(View):
    """An event in the history of a message."""

    status: MessageStatus = Field(
        description="Status of the message after the event.", examples=["SENT"]
    )
    at: Instant = Field(description="Time of the event.", examples=["2026-04-16T13:20:33.120Z"])
    attempt: int | None = Field(
        description="Number of the send attempt, starting at 1. Null if the event belongs to none.",
        examples=[1],
    )
    provider: str | None = Field(description="Provider of the attempt.", examples=["simulator"])
    provider_code: str | None = Field(description="The provider's own code.", examples=["30005"])
    phase: str | None = Field(
        description="The provider's own status. Calls: ringing, answered, completed, busy, "
        "no-answer. E-mail: delivered, bounced, complained.",
        examples=["completed"],
    )
    recipient: str | None = Field(
        description="The recipient the event concerns, if the provider reports it.",
        examples=["member@example.com"],
    )
    duration_seconds: int | None = Field(
        description="Duration of an answered call in seconds.", examples=[70]
    )
    detail: str | None = Field(
        description="Human-readable description.", examples=["The provider has taken the message."]
    )


class MessageView(View):
    """A message with its status, cost and event history."""

    message_id: str = Field(
        description="Identifier of the message, a decimal string.", examples=["3364264052715392"]
    )
    merchant_id: str | None = Field(
        description="The merchant that sends. Null for direct e-mail of the tenant.",
        examples=["gym-a"],
    )
    channel: Channel = Field(description="Channel.", examples=["SMS"])
    type: MessageType = Field(description="Purpose of the message.", examples=["OTP"])
    to: str = Field(
        description="The recipient; the first one if there are several.", examples=["+18135551234"]
    )
    recipients: list[str] = Field(
        description="All recipients. Only direct e-mail can have more than one.",
        examples=[["+18135551234"]],
    )
    sender: str = Field(
        alias="from",
        description="Phone number or e-mail address the message is sent from.",
        examples=["+18005550100"],
    )
    status: MessageStatus = Field(
        description="Current status. Where the provider reports no delivery, such as a mail relay, "
        "an accepted message ends as SENT, with `completedAt` set.",
        examples=["DELIVERED"],
    )
    units: int = Field(
        description="Units the message costs when billed: SMS segments or e-mail recipients. For a "
        "call, the minutes that are held until it ends, then the minutes it came to.",
        examples=[1],
    )
    billed_units: int = Field(description="Units billed so far.", examples=[1])
    price: MessagePrice | None = Field(
        description="Price of the message. Null until a provider accepted it and it ended, and "
        "while no rate card covers it."
    )
    attempts: int = Field(description="Number of send attempts made to providers.", examples=[1])
    error_code: ErrorCode | None = Field(
        description="Reason the message was not delivered. Null if there is none.",
        examples=["UNREACHABLE"],
    )
    provider_code: str | None = Field(
        description="The provider's own error code.", examples=["30005"]
    )
    provider: str | None = Field(
        description="Provider that handled the message.", examples=["simulator"]
    )
    metadata: dict[str, str] = Field(
        description="The key-value pairs given with the request.", examples=[{"orderId": "A-1001"}]
    )
    accepted_at: Instant = Field(
        description="Time at which the message was accepted.", examples=["2026-04-16T13:20:32.942Z"]
    )
    send_at: Instant | None = Field(
        description="Earliest time to send: the requested time, or for MARKETING the next allowed "
        "hour in the recipient's local time. Null if there is none.",
        examples=["2026-04-16T15:00:00.000Z"],
    )
    expires_at: Instant | None = Field(
        description="Time after which the message is no longer sent. Null if it does not expire.",
        examples=["2026-04-16T13:30:32.942Z"],
    )
    sent_at: Instant | None = Field(
        description="Time at which a provider accepted the message.",
        examples=["2026-04-16T13:20:33.120Z"],
    )
    completed_at: Instant | None = Field(
        description="Time at which the message ended: with its final status, or with SENT where "
        "the provider reports no delivery.",
        examples=["2026-04-16T13:20:34.020Z"],
    )
    events: list[MessageEvent] = Field(description="Event history, oldest first.")
