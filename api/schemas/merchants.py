"""Merchants, as the contract writes them."""

import re
from datetime import date, time
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
)

from api.schemas.base import MerchantId, RequestBody, View

_MOST_UNITS = 2_147_483_647
_ZONES = frozenset(available_timezones())
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def _known_zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("must be an IANA time zone, such as America/New_York")
    return name


def _only_hours_and_minutes(given: Any) -> Any:
    # pydantic would also take seconds, fractions, zones and plain numbers.
    if isinstance(given, time) or (isinstance(given, str) and _HOUR.fullmatch(given)):
        return given
    raise ValueError("must be a time of day such as 09:30")


Limit = Annotated[StrictInt, Field(ge=0, le=_MOST_UNITS)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Hour = Annotated[
    time,
    BeforeValidator(_only_hours_and_minutes),
    PlainSerializer(lambda hour: hour.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": _HOUR.pattern}),
]
HelpText = Annotated[str, StringConstraints(max_length=320, pattern=r"\S")]


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


class V1MerchantSettingsRequest(RequestBody):
    """Change settings: absent ones stay as they are, null takes one back."""

    marketing_from: Hour | None = Field(
        default=None,
        description="MARKETING by SMS goes out no earlier, in the recipient's local time; narrows "
        "08:00–21:00 and never widens it.",
        examples=["10:00"],
    )
    marketing_until: Hour | None = Field(
        default=None, description="And has gone out by then.", examples=["19:30"]
    )
    help_text: HelpText | None = Field(
        default=None,
        description="Answers HELP by SMS; while there is none the answer names the merchant.",
        examples=["Gym A: call 813-555-0100 or write to desk@example.com. Reply STOP to opt out."],
    )


class MerchantSettingsView(View):
    """The settings of a merchant; null where it has none of its own."""

    merchant_id: str = Field(description="Your own name for the merchant.", examples=["gym-a"])
    marketing_from: Hour | None = Field(
        description="MARKETING by SMS goes out no earlier; null: 08:00.", examples=["10:00"]
    )
    marketing_until: Hour | None = Field(
        description="And has gone out by then; null: 21:00.", examples=["19:30"]
    )
    help_text: str | None = Field(
        description="Answers HELP by SMS.",
        examples=["Gym A: call 813-555-0100 or write to desk@example.com. Reply STOP to opt out."],
    )
