"""What lists are narrowed by, as annotated types. `async` for the reason given in api.deps."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BeforeValidator

from api.schemas.base import MERCHANT_ID, WITH_ZONE
from api.services.alerts.alerts import AlertFilter
from api.services.billing.upgrades import LedgerFilter
from api.services.billing.usage_reports import LONGEST_RANGE, UsageFilter
from api.services.consent.consents import ConsentFilter
from api.services.consent.contacts import contact_to_find
from api.services.consent.inbound_texts import InboundFilter
from api.services.messages.read import CallFilter, MessageFilter
from models.enums import AlertType, Channel, ConsentStatus, MessageStatus
from models.errors import InvalidDateRange

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ONE_MICROSECOND = timedelta(microseconds=1)

OneMerchant = Annotated[
    str | None,
    Query(
        alias="merchantId",
        pattern=MERCHANT_ID,
        description="Only this merchant's.",
        examples=["gym-a"],
    ),
]
ContactParam = Annotated[
    str,
    Query(
        min_length=1,
        max_length=320,
        description="Phone number in E.164 form, or e-mail address.",
        examples=["+18135551234"],
    ),
]
ChannelParam = Annotated[Channel, Query(description="The channel.", examples=["SMS"])]


async def _consent_filter(
    merchant_id: OneMerchant = None,
    channel: ChannelParam | None = None,
    contact: ContactParam | None = None,
    status: Annotated[
        ConsentStatus | None, Query(description="What was said.", examples=["OPT_IN"])
    ] = None,
) -> ConsentFilter:
    return ConsentFilter(merchant_id=merchant_id, channel=channel, contact=contact, status=status)


WantedConsents = Annotated[ConsentFilter, Depends(_consent_filter)]

TimeParam = Annotated[
    str | None,
    Query(
        max_length=40,
        description="Accepted in this time: a UTC day (2026-04-16, inclusive) or an ISO 8601 time "
        "with a time zone.",
        examples=["2026-04-01"],
    ),
]


async def _message_filter(
    merchant_id: OneMerchant = None,
    channel: ChannelParam | None = None,
    status: Annotated[
        MessageStatus | None, Query(description="Where it stands.", examples=["DELIVERED"])
    ] = None,
    to: ContactParam | None = None,
    since: Annotated[TimeParam, Query(alias="from")] = None,
    until: TimeParam = None,
) -> MessageFilter:
    first, _ = _span("from", since)
    _, end = _span("until", until)
    if first is not None and end is not None and first >= end:
        raise InvalidDateRange("until lies before from.", (("until", "lies before from"),))
    return MessageFilter(
        merchant_id=merchant_id, channel=channel, status=status, to=to, since=first, before=end
    )


WantedMessages = Annotated[MessageFilter, Depends(_message_filter)]


def _label(name: str, meaning: str, example: str) -> Any:
    return Query(alias=name, min_length=1, max_length=100, description=meaning, examples=[example])


async def _call_filter(
    merchant_id: OneMerchant = None,
    tenant_id: Annotated[
        str | None, _label("tenantId", "Only of this sub-tenant of yours.", "north")
    ] = None,
    source_system: Annotated[
        str | None, _label("sourceSystem", "Only what this system asked for.", "scheduler")
    ] = None,
    use_case: Annotated[
        str | None, _label("useCase", "Only what was asked for this.", "reminder")
    ] = None,
) -> CallFilter:
    return CallFilter(
        merchant_id=merchant_id,
        tenant_id=tenant_id,
        source_system=source_system,
        use_case=use_case,
    )


WantedCalls = Annotated[CallFilter, Depends(_call_filter)]


async def _inbound_filter(
    merchant_id: OneMerchant = None,
    sender: Annotated[
        str | None,
        Query(
            alias="from",
            min_length=1,
            max_length=64,
            description="Only what this recipient wrote, in E.164 form.",
            examples=["+18135551234"],
        ),
    ] = None,
    number: Annotated[
        str | None,
        Query(
            alias="to",
            min_length=1,
            max_length=64,
            description="Only what was sent to this number of yours, in E.164 form.",
            examples=["+18005550100"],
        ),
    ] = None,
) -> InboundFilter:
    return InboundFilter(
        merchant_id=merchant_id,
        sender=None if sender is None else contact_to_find(sender),
        number=None if number is None else contact_to_find(number),
    )


WantedInbound = Annotated[InboundFilter, Depends(_inbound_filter)]


async def _usage_filter(
    since: Annotated[
        str,
        Query(
            alias="from",
            description="The first UTC day, inclusive.",
            examples=["2026-04-01"],
            json_schema_extra={"format": "date"},
        ),
    ],
    until: Annotated[
        str,
        Query(
            alias="to",
            description=f"The last UTC day, inclusive; a range has {LONGEST_RANGE} days at most.",
            examples=["2026-04-16"],
            json_schema_extra={"format": "date"},
        ),
    ],
    merchant_id: OneMerchant = None,
) -> UsageFilter:
    first, last = _day("from", since), _day("to", until)
    if first > last:
        raise InvalidDateRange("to lies before from.", (("to", "lies before from"),))
    if (last - first).days >= LONGEST_RANGE:
        reason = f"is more than {LONGEST_RANGE} days from the first to the last"
        raise InvalidDateRange(f"The range {reason}.", (("to", reason),))
    return UsageFilter(merchant_id=merchant_id, first=first, last=last)


WantedUsage = Annotated[UsageFilter, Depends(_usage_filter)]


def _day(name: str, given: str) -> date:
    """Return the UTC day that is written."""
    try:
        if _DAY.fullmatch(given):
            return date.fromisoformat(given)
    except ValueError:  # no such day
        pass
    reason = "must be a day, such as 2026-04-16"
    raise InvalidDateRange(f"{name} {reason}.", ((name, reason),))


def _true_or_false(given: Any) -> Any:
    """Take the two words only: pydantic would also read 1, on and yes."""
    if given not in ("true", "false"):
        raise ValueError("must be true or false")
    return given == "true"


async def _alert_filter(
    merchant_id: OneMerchant = None,
    type: Annotated[
        AlertType | None, Query(description="What it warns of.", examples=["USAGE_THRESHOLD"])
    ] = None,
    open: Annotated[
        Annotated[bool, BeforeValidator(_true_or_false)] | None,
        Query(description="true: only those not resolved; false: only those resolved."),
    ] = None,
) -> AlertFilter:
    return AlertFilter(merchant_id=merchant_id, type=type, open=open)


WantedAlerts = Annotated[AlertFilter, Depends(_alert_filter)]


async def _ledger_filter(
    merchant_id: OneMerchant = None, channel: ChannelParam | None = None
) -> LedgerFilter:
    return LedgerFilter(merchant_id=merchant_id, channel=channel)


WantedMovements = Annotated[LedgerFilter, Depends(_ledger_filter)]


def _span(name: str, given: str | None) -> tuple[datetime | None, datetime | None]:
    """Return where a day or moment begins and ends; both are meant inclusively."""
    if given is None:
        return None, None
    text = given.replace(" ", "+")  # an unencoded plus sign in a query arrives as a space
    try:
        if _DAY.fullmatch(text):
            begin = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return begin, begin + timedelta(days=1)
        if WITH_ZONE.fullmatch(text):
            moment = datetime.fromisoformat(text).astimezone(UTC)
            return moment, moment + _ONE_MICROSECOND
    except (ValueError, OverflowError):  # no such day
        pass
    reason = "must be a day (2026-04-16) or a time with a time zone (2026-04-16T13:20:00Z)"
    raise InvalidDateRange(f"{name} {reason}.", ((name, reason),))
