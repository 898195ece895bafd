"""Messages, as the contract writes them."""

from typing import Annotated

from pydantic import Field, StrictInt, StringConstraints

from api.schemas.base import GivenInstant, Instant, MerchantId, RequestBody, View
from api.schemas.money import MessagePrice
from models.enums import Channel, ErrorCode, MessageStatus, MessageType

MetadataName = Annotated[str, StringConstraints(min_length=1, max_length=40)]
MetadataValue = Annotated[str, StringConstraints(max_length=500)]
Metadata = Annotated[dict[MetadataName, MetadataValue], Field(max_length=50)]
Validity = Annotated[StrictInt, Field(ge=30, le=259_200)]


class V1OmniSmsSendRequest(RequestBody):
    """Ask for one SMS."""

    merchant_id: MerchantId = Field(description="Who sends.", examples=["gym-a"])
    to: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        description="Who receives, in E.164 form; spaces and `( ) . - /` are taken.",
        examples=["+18135551234"],
    )
    message: Annotated[str, Field(min_length=1)] = Field(
        description="The text: at most 10 segments (1,530 GSM-7 or 670 UCS-2 characters).",
        examples=["Your OTP is 123456"],
    )
    type: MessageType = Field(
        description="Why it is sent; decides consent, priority and validity.", examples=["OTP"]
    )
    send_at: GivenInstant | None = Field(
        default=None,
        description="Not before this, at most 30 days ahead; in the past means now.",
        examples=["2026-04-16T15:00:00Z"],
    )
    valid_for_seconds: Validity | None = Field(
        default=None,
        description="How long it is worth sending, from sendAt or acceptance; OTP 600, others "
        "without end unless given.",
        examples=[3600],
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Up to 50 strings of yours, given back with the message.",
        examples=[{"orderId": "A-1001"}],
    )


class DispatchResponse(View):
    """A send that was taken on."""

    merchant_id: str = Field(description="Who sends.", examples=["gym-a"])
    channel: Channel = Field(description="How it travels.", examples=["SMS"])
    message_id: str = Field(description="Our id of it, a decimal string.", examples=["10441"])
    status: MessageStatus = Field(
        description="Where it stands; for a replayed key the current status.", examples=["QUEUED"]
    )


class MessageEvent(View):
    """One thing that happened to a message."""

    status: MessageStatus = Field(description="Where it then stood.", examples=["SENT"])
    at: Instant = Field(description="When.", examples=["2026-04-16T13:20:33.120Z"])
    attempt: int | None = Field(description="In which attempt.", examples=[1])
    provider: str | None = Field(description="With which provider.", examples=["simulator"])
    provider_code: str | None = Field(description="The provider's own code.", examples=["30005"])
    phase: str | None = Field(
        description="The provider's own word for it: of a call ringing, answered, completed, busy, "
        "no-answer; of an e-mail delivered, bounced, complained.",
        examples=["completed"],
    )
    recipient: str | None = Field(
        description="Whom it is about, where a provider tells.", examples=["member@example.com"]
    )
    duration_seconds: int | None = Field(
        description="How long an answered call lasted.", examples=[70]
    )
    detail: str | None = Field(
        description="In words.", examples=["The provider has taken the message."]
    )


class MessageView(View):
    """A message, what it cost and what happened to it."""

    message_id: str = Field(description="Our id of it, a decimal string.", examples=["10441"])
    merchant_id: str | None = Field(
        description="Who sends; null for direct e-mail of the tenant itself.", examples=["gym-a"]
    )
    channel: Channel = Field(description="How it travels.", examples=["SMS"])
    type: MessageType = Field(description="Why it is sent.", examples=["OTP"])
    to: str = Field(
        description="Who receives; of several recipients the first.", examples=["+18135551234"]
    )
    recipients: list[str] = Field(
        description="Everybody who receives; more than one only for direct e-mail.",
        examples=[["+18135551234"]],
    )
    sender: str = Field(
        alias="from",
        description="The number or address it is sent from.",
        examples=["+18005550100"],
    )
    status: MessageStatus = Field(description="Where it stands.", examples=["DELIVERED"])
    units: int = Field(
        description="What it costs when billed: SMS segments, e-mail recipients; of a call the "
        "minutes that are held for it.",
        examples=[1],
    )
    billed_units: int = Field(description="What it has cost so far.", examples=[1])
    price: MessagePrice | None = Field(
        description="What it costs in money; null until a provider took it and it ended, and while "
        "no rate card covers it."
    )
    attempts: int = Field(description="Calls made to providers for it.", examples=[1])
    error_code: ErrorCode | None = Field(
        description="Why it did not arrive, in our words.", examples=["UNREACHABLE"]
    )
    provider_code: str | None = Field(description="In the provider's words.", examples=["30005"])
    provider: str | None = Field(description="Who carried it.", examples=["simulator"])
    metadata: dict[str, str] = Field(
        description="Your strings, as given.", examples=[{"orderId": "A-1001"}]
    )
    accepted_at: Instant = Field(
        description="When we took it on.", examples=["2026-04-16T13:20:32.942Z"]
    )
    send_at: Instant | None = Field(
        description="Not before this: the later time that was asked for, or for MARKETING the "
        "next daytime of the recipient.",
        examples=["2026-04-16T15:00:00.000Z"],
    )
    expires_at: Instant | None = Field(
        description="Not dispatched after this.", examples=["2026-04-16T13:30:32.942Z"]
    )
    sent_at: Instant | None = Field(
        description="When a provider took it.", examples=["2026-04-16T13:20:33.120Z"]
    )
    completed_at: Instant | None = Field(
        description="When nothing was left to do.", examples=["2026-04-16T13:20:34.020Z"]
    )
    events: list[MessageEvent] = Field(description="What happened to it, oldest first.")
