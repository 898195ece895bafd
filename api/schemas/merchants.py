"""Request and response schemas of merchants and their settings."""

import re
from collections.abc import Set
from datetime import date, time
from importlib.resources import files
from typing import Annotated, Any

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
from api.schemas.text_types import OneLine, Visible
from models.rules.consent.country_zones import all_zones

_MOST_UNITS = 2_147_483_647
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def _iana_zones() -> Set[str]:
    """Return the names of the IANA database, links included.

    `zoneinfo.available_timezones` would also list other files of the system's folder, such as
    `localtime`. `Factory` means that no zone was set.
    """
    return frozenset(files("tzdata").joinpath("zones").read_text().split()) - {"Factory"}


_ZONES = _iana_zones()


def _known_zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("must be an IANA time zone, such as America/New_York")
    return name


def _zone_of_a_country(name: str) -> str:
    if name not in all_zones():
        raise ValueError("must be a time zone of tzdata's zone1970.tab, such as Europe/Moscow")
    return name


def _only_hours_and_minutes(given: Any) -> Any:
    # pydantic would also accept seconds, fractions, zones and plain numbers.
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
NamedZones = Annotated[
    list[Annotated[str, AfterValidator(_zone_of_a_country)]],
    Field(min_length=1, max_length=20),
    AfterValidator(lambda zones: list(dict.fromkeys(zones))),  # each once; the first decides
]
HelpText = Annotated[str, StringConstraints(min_length=1, max_length=320), Visible]
SupportContact = Annotated[OneLine, StringConstraints(max_length=100)]


class V1MerchantUpsertRequest(RequestBody):
    """A merchant to create or update. On update, absent or null optional fields are unchanged."""

    shown = ("active", "smsLimit", "voiceMinutesLimit", "emailLimit")

    merchant_id: MerchantId = Field(
        description="Your identifier of the merchant. It cannot be changed.", examples=["gym-a"]
    )
    display_name: Annotated[OneLine, StringConstraints(max_length=200)] = Field(
        description="Display name, 1 to 200 characters.", examples=["Gym A"]
    )
    active: StrictBool | None = Field(
        default=None,
        description="Whether the merchant may send. Default on creation: true.",
        examples=[True],
    )
    sms_limit: Limit | None = Field(
        default=None,
        description="SMS segments included per month. Default on creation: 0.",
        examples=[5000],
    )
    voice_minutes_limit: Limit | None = Field(
        default=None,
        description="Call minutes included per month. Default on creation: 0.",
        examples=[1000],
    )
    email_limit: Limit | None = Field(
        default=None,
        description="E-mail recipients included per month. Default on creation: 0.",
        examples=[25000],
    )
    timezone: Zone | None = Field(
        default=None,
        description="IANA time zone. Default on creation: America/New_York.",
        examples=["America/New_York"],
    )


class MerchantLimits(View):
    """Units included per calendar month."""

    sms_limit: int = Field(description="SMS segments per month.", examples=[5000])
    voice_minutes_limit: int = Field(description="Call minutes per month.", examples=[1000])
    email_limit: int = Field(description="E-mail recipients per month.", examples=[25000])


class MerchantCredits(View):
    """Purchased units that are available now."""

    sms_credits: int = Field(description="SMS segments available.", examples=[0])
    voice_minutes_credits: int = Field(description="Call minutes available.", examples=[0])
    email_credits: int = Field(description="E-mail recipients available.", examples=[0])


class MerchantUsage(View):
    """Units captured by this month's sends, paid by allowance or credits."""

    sms_used: int = Field(description="SMS segments used.", examples=[0])
    voice_used: int = Field(description="Call minutes used.", examples=[0])
    email_used: int = Field(description="E-mail recipients used.", examples=[0])
    period_start: date = Field(
        description="First day of the current calendar month, UTC.", examples=["2026-04-01"]
    )


class MerchantView(View):
    """A merchant with its limits, credits and current usage."""

    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    display_name: str = Field(description="Display name.", examples=["Gym A"])
    active: bool = Field(description="Whether the merchant may send.", examples=[True])
    limits: MerchantLimits = Field(description="Monthly allowance per channel.")
    credits: MerchantCredits = Field(description="Credits per channel that are available now.")
    usage: MerchantUsage = Field(description="Usage of the current month per channel.")


class V1MerchantSettingsRequest(RequestBody):
    """Settings to change. Absent fields are unchanged; null resets a setting to its default."""

    shown = ("marketingFrom", "marketingUntil", "supportContact")

    marketing_from: Hour | None = Field(
        default=None,
        description="Start of the hours for MARKETING by SMS, HH:MM in the recipient's local time. "
        "It must lie within 08:00–21:00. Default: 08:00.",
        examples=["10:00"],
    )
    marketing_until: Hour | None = Field(
        default=None,
        description="End of the hours for MARKETING by SMS, HH:MM in the recipient's local time. "
        "It must lie within 08:00–21:00. Default: 21:00.",
        examples=["19:30"],
    )
    marketing_timezones: NamedZones | None = Field(
        default=None,
        description="IANA time zones, at most 20. MARKETING by SMS goes out at an hour that fits "
        "every zone in which the recipient may be. If none does, the marketing hours apply only in "
        "the first of these zones that is one of them, and 08:00–21:00 in the others; if no hour "
        "fits then either, the message is refused. Default: none.",
        examples=[["Europe/Moscow"]],
    )
    help_text: HelpText | None = Field(
        default=None,
        description="Answer to HELP by SMS, at most 320 characters. By default the answer names "
        "the merchant and its `supportContact`. On numbers of a 10DLC campaign the campaign's "
        "`helpMessage` is the answer.",
        examples=["Gym A: call 813-555-0100 or write to desk@example.com. Reply STOP to opt out."],
    )
    support_contact: SupportContact | None = Field(
        default=None,
        description="How recipients reach the merchant: a phone number, e-mail or web address, at "
        "most 100 characters on one line. The default answer to HELP names it. Default: none.",
        examples=["813-555-0100"],
    )


class MerchantSettingsView(View):
    """Settings of a merchant. Null means the default applies."""

    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    timezone: str = Field(
        description="IANA time zone of the merchant, set with `POST /merchants`. It counts for "
        "recipients whose number names no place.",
        examples=["America/New_York"],
    )
    marketing_from: Hour | None = Field(
        description="Start of the hours for MARKETING by SMS, in the recipient's local time. Null: "
        "08:00.",
        examples=["10:00"],
    )
    marketing_until: Hour | None = Field(
        description="End of the hours for MARKETING by SMS, in the recipient's local time. Null: "
        "21:00.",
        examples=["19:30"],
    )
    marketing_timezones: list[str] | None = Field(
        description="Time zones that decide for MARKETING by SMS where no hour fits every zone in "
        "which the recipient may be. Null: none.",
        examples=[["Europe/Moscow"]],
    )
    help_text: str | None = Field(
        description="Answer to HELP by SMS. Null: the default answer, which names the merchant and "
        "its `supportContact`.",
        examples=["Gym A: call 813-555-0100 or write to desk@example.com. Reply STOP to opt out."],
    )
    support_contact: str | None = Field(
        description="How recipients reach the merchant, named in the default answer to HELP. Null: "
        "none.",
        examples=["813-555-0100"],
    )
