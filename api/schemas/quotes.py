"""Quotes, as the contract writes them."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from api.schemas.base import View
from api.schemas.email import V1OmniEmailSendRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.schemas.money import Amount
from api.schemas.voice import V1OmniVoiceSendRequest
from models.enums import Channel, Encoding, UnpricedReason


class V1SmsQuoteRequest(V1OmniSmsSendRequest):
    """The body of an SMS, to be quoted."""

    channel: Literal[Channel.SMS] = Field(description="How it would travel.", examples=["SMS"])


class V1VoiceQuoteRequest(V1OmniVoiceSendRequest):
    """The body of a call, to be quoted."""

    channel: Literal[Channel.VOICE] = Field(description="How it would travel.", examples=["VOICE"])


class V1EmailQuoteRequest(V1OmniEmailSendRequest):
    """The body of an e-mail, to be quoted."""

    channel: Literal[Channel.EMAIL] = Field(description="How it would travel.", examples=["EMAIL"])


QuoteRequest: TypeAlias = Annotated[
    V1SmsQuoteRequest | V1VoiceQuoteRequest | V1EmailQuoteRequest, Field(discriminator="channel")
]


class V1MessageQuoteResponse(View):
    """What a send would take, and whether it would be accepted now."""

    channel: Channel = Field(description="How it would travel.", examples=["SMS"])
    units: int = Field(
        description="What would be held: SMS segments, e-mail recipients, minutes of the longest "
        "call it may become.",
        examples=[1],
    )
    encoding: Encoding | None = Field(
        description="How the characters of an SMS travel; null on other channels.",
        examples=["GSM-7"],
    )
    provider_cost: Amount | None = Field(
        description="What the provider would take for these units, carrier fees apart; of a call, "
        "if it lasts that long. Null if no rate card covers it.",
        examples=["0.008300"],
    )
    carrier_fee: Amount | None = Field(
        description="What it would pass on to carriers.", examples=["0.004500"]
    )
    markup: Amount | None = Field(description="What would be added.", examples=["0.002560"])
    total: Amount | None = Field(description="The sum of the three.", examples=["0.015360"])
    currency: str = Field(description="ISO 4217.", examples=["USD"])
    price_gap: UnpricedReason | None = Field(
        description="RATE_MISSING if no rate card covers it, so there are no amounts; it may be "
        "sent all the same, and is priced once there is a card.",
        examples=["RATE_MISSING"],
    )
    allowed: bool = Field(description="Whether it would be accepted now.", examples=[True])
    reason: str | None = Field(
        description="The code of the refusal a send would get now; null if it is allowed.",
        examples=["INSUFFICIENT_CREDITS"],
    )
