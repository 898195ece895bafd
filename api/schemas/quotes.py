"""Request and response schemas of quotes."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from api.schemas.base import View
from api.schemas.email import V1OmniEmailSendRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.schemas.money import Amount
from api.schemas.voice import V1OmniVoiceSendRequest
from models.enums import Channel, Encoding, UnpricedReason


class V1SmsQuoteRequest(V1OmniSmsSendRequest):
    """An SMS to quote."""

    channel: Literal[Channel.SMS] = Field(description="Channel.", examples=["SMS"])


class V1VoiceQuoteRequest(V1OmniVoiceSendRequest):
    """A call to quote."""

    channel: Literal[Channel.VOICE] = Field(description="Channel.", examples=["VOICE"])


class V1EmailQuoteRequest(V1OmniEmailSendRequest):
    """An e-mail to quote."""

    channel: Literal[Channel.EMAIL] = Field(description="Channel.", examples=["EMAIL"])


QuoteRequest: TypeAlias = Annotated[
    V1SmsQuoteRequest | V1VoiceQuoteRequest | V1EmailQuoteRequest, Field(discriminator="channel")
]


class V1MessageQuoteResponse(View):
    """The cost of a message, and whether it would be accepted now."""

    channel: Channel = Field(description="Channel.", examples=["SMS"])
    units: int = Field(
        description="Units that would be held: SMS segments, e-mail recipients, or the minutes of "
        "the longest possible call.",
        examples=[1],
    )
    encoding: Encoding | None = Field(
        description="Character encoding of an SMS. Null on other channels.",
        examples=["GSM-7"],
    )
    provider_cost: Amount | None = Field(
        description="Estimated provider cost without carrier fees. For a call, the cost at maximum "
        "duration. Null if no rate card covers the message.",
        examples=["0.008300"],
    )
    carrier_fee: Amount | None = Field(
        description="Estimated carrier fees. Null if no rate card covers the message.",
        examples=["0.004500"],
    )
    markup: Amount | None = Field(
        description="Estimated markup. Null if no rate card covers the message.",
        examples=["0.002560"],
    )
    total: Amount | None = Field(
        description="Sum of `providerCost`, `carrierFee` and `markup`. Null if no rate card covers "
        "the message.",
        examples=["0.015360"],
    )
    currency: str = Field(description="Currency code, ISO 4217.", examples=["USD"])
    price_gap: UnpricedReason | None = Field(
        description="RATE_MISSING if no rate card covers the message. It can be sent nevertheless "
        "and is priced when a rate card is loaded. Null otherwise.",
        examples=["RATE_MISSING"],
    )
    allowed: bool = Field(description="Whether the message would be accepted now.", examples=[True])
    reason: str | None = Field(
        description="Error code of the refusal. Null if `allowed` is true.",
        examples=["INSUFFICIENT_CREDITS"],
    )
