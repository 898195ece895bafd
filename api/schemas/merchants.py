"""Merchants, as the contract writes them."""

from datetime import date
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from api.schemas.base import MerchantId, RequestBody, View

_MOST_UNITS = 2_147_483_647
_ZONES = frozenset(available_timezones())


def _known_zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("must be an IANA time zone, such as America/New_York")
    return name


Limit = Annotated[StrictInt, Field(ge=0, le=_MOST_UNITS)]
Zone = Annotated[str, AfterValidator(_known_zone)]


class V1MerchantUpsertRequest(RequestBody):
    """Create a merchant or change it; optional fields that are absent or null stay as they are."""

    merchant_id: MerchantId = Field(
        description="Your own name for the merchant; never changes.", examples=["gym-a"]
    )
    display_name: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="What people call it.", examples=["Gym A"]
    )
    active: StrictBool | None = Field(
        default=None,
        description="Whether it may send; true when it is created without a word about it.",
        examples=[True],
    )
    sms_limit: Limit | None = Field(
        default=None, description="SMS segments included every month; 0 at first.", examples=[5000]
    )
    voice_minutes_limit: Limit | None = Field(
        default=None, description="Call minutes included every month; 0 at first.", examples=[1000]
    )
    email_limit: Limit | None = Field(
        default=None,
        description="E-mail recipients included every month; 0 at first.",
        examples=[25000],
    )
    timezone: Zone | None = Field(
        default=None,
        description="IANA time zone; America/New_York at first.",
        examples=["America/New_York"],
    )


class MerchantLimits(View):
    """Monthly allowance, included."""

    sms_limit: int = Field(description="SMS segments.", examples=[5000])
    voice_minutes_limit: int = Field(description="Call minutes.", examples=[1000])
    email_limit: int = Field(description="E-mail recipients.", examples=[25000])


class MerchantCredits(View):
    """Bought units, available now."""

    sms_credits: int = Field(description="SMS segments.", examples=[0])
    voice_minutes_credits: int = Field(description="Call minutes.", examples=[0])
    email_credits: int = Field(description="E-mail recipients.", examples=[0])


class MerchantUsage(View):
    """Units taken by this month's sends, paid by allowance or credits alike."""

    sms_used: int = Field(description="SMS segments.", examples=[0])
    voice_used: int = Field(description="Call minutes.", examples=[0])
    email_used: int = Field(description="E-mail recipients.", examples=[0])
    period_start: date = Field(
        description="First day of the current month, UTC.", examples=["2026-04-01"]
    )


class MerchantView(View):
    """A merchant with its limits, credits and current usage."""

    merchant_id: str = Field(description="Your own name for the merchant.", examples=["gym-a"])
    display_name: str = Field(description="What people call it.", examples=["Gym A"])
    active: bool = Field(description="Whether it may send.", examples=[True])
    limits: MerchantLimits = Field(description="Monthly allowance.")
    credits: MerchantCredits = Field(description="Bought units that can be spent now.")
    usage: MerchantUsage = Field(description="This month's use.")
