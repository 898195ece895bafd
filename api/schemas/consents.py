"""Request and response schemas of consents."""

from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.base import Instant, MerchantId, RequestBody, View
from api.schemas.text_types import OneLine
from models.enums import Channel, ConsentEvent, ConsentStatus


class V1MerchantConsentRequest(RequestBody):
    """A recipient's consent to messages of a merchant on a channel."""

    merchant_id: MerchantId = Field(
        description="The merchant the consent was given to.", examples=["gym-a"]
    )
    channel: Channel = Field(description="The channel the consent applies to.", examples=["SMS"])
    contact: Annotated[str, Field(min_length=1, max_length=320)] = Field(
        description="Phone number in E.164 format, or e-mail address. Of addresses, the case of "
        "ASCII letters before the @ is ignored, and the domain is compared in its IDNA form.",
        examples=["+18135551234"],
    )
    status: ConsentStatus = Field(description="OPT_IN or OPT_OUT.", examples=["OPT_IN"])
    source: Annotated[OneLine, StringConstraints(max_length=200)] = Field(
        description="Where the consent was collected, one line. Stored as proof of consent.",
        examples=["checkout-form"],
    )


class ConsentView(View):
    """The current consent of a recipient."""

    merchant_id: str = Field(
        description="The merchant the consent was given to.", examples=["gym-a"]
    )
    channel: Channel = Field(description="The channel the consent applies to.", examples=["SMS"])
    contact: str = Field(
        description="Phone number in E.164 format, or e-mail address as given.",
        examples=["+18135551234"],
    )
    status: ConsentStatus = Field(description="OPT_IN or OPT_OUT.", examples=["OPT_IN"])
    source: str = Field(description="Where the consent was collected.", examples=["checkout-form"])
    updated_at: Instant = Field(
        description="Time at which the consent was last recorded.",
        examples=["2026-04-16T13:20:32.942Z"],
    )


class ConsentChangeView(View):
    """An entry of the consent history. Entries are never deleted."""

    channel: Channel = Field(description="The channel the change applies to.", examples=["SMS"])
    contact: str = Field(
        description="Phone number in E.164 format, or e-mail address.", examples=["+18135551234"]
    )
    status: ConsentEvent = Field(
        description="OPT_IN and OPT_OUT are recorded consent. SUPPRESSED: a provider reported a "
        "hard bounce, a complaint or a carrier opt-out. RESTORED: that suppression was lifted.",
        examples=["OPT_IN"],
    )
    source: str = Field(
        description="Where the consent was collected, or which provider reported the change. Texts "
        "of the recipient: `sms:STOP:<your number>` for an opt-out keyword, "
        "`sms:STOP-UNDERSTOOD:<your number>` for an opt-out in the recipient's own words, "
        "`sms:START:<your number>` for an opt-in keyword.",
        examples=["checkout-form"],
    )
    changed_at: Instant = Field(
        description="Time at which the change was recorded.", examples=["2026-04-16T13:20:32.942Z"]
    )
