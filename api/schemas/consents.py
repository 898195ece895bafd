"""Consent, as the contract writes it."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Instant, MerchantId, RequestBody, View
from models.enums import Channel, ConsentEvent, ConsentStatus


class V1MerchantConsentRequest(RequestBody):
    """Record what a recipient said."""

    merchant_id: MerchantId = Field(description="The merchant it was said to.", examples=["gym-a"])
    channel: Channel = Field(description="The channel it is about.", examples=["SMS"])
    contact: Annotated[str, Field(min_length=1, max_length=320)] = Field(
        description="Phone number in E.164 form, or e-mail address (compared case-insensitively).",
        examples=["+18135551234"],
    )
    status: ConsentStatus = Field(description="What was said.", examples=["OPT_IN"])
    source: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="Where it was said; kept as proof of consent.", examples=["checkout-form"]
    )


class ConsentView(View):
    """What a recipient last said."""

    merchant_id: str = Field(description="The merchant it was said to.", examples=["gym-a"])
    channel: Channel = Field(description="The channel it is about.", examples=["SMS"])
    contact: str = Field(
        description="Phone number in E.164 form, or e-mail address as given.",
        examples=["+18135551234"],
    )
    status: ConsentStatus = Field(description="What was said.", examples=["OPT_IN"])
    source: str = Field(description="Where it was said.", examples=["checkout-form"])
    updated_at: Instant = Field(
        description="When it was recorded.", examples=["2026-04-16T13:20:32.942Z"]
    )


class ConsentChangeView(View):
    """One thing that changed whether a recipient may be written to, kept for ever."""

    channel: Channel = Field(description="The channel it is about.", examples=["SMS"])
    contact: str = Field(description="The contact.", examples=["+18135551234"])
    status: ConsentEvent = Field(
        description="What was said (OPT_IN, OPT_OUT), or what providers told: SUPPRESSED by a hard "
        "bounce, a complaint or a carrier opt-out; RESTORED when that was lifted.",
        examples=["OPT_IN"],
    )
    source: str = Field(description="Where it was said, or who told.", examples=["checkout-form"])
    changed_at: Instant = Field(
        description="When it was recorded.", examples=["2026-04-16T13:20:32.942Z"]
    )
