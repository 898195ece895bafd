"""Query filters of lists, as annotated types. They are `async` for the reason given in api.deps."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from api.http.idempotency import unquoted
from api.http.metadata_filter import read_metadata_filter
from api.schemas.base import WITH_ZONE
from api.schemas.patterns import MERCHANT_ID
from api.services.alerts.alerts import AlertFilter
from api.services.billing.upgrades import LedgerFilter
from api.services.billing.usage_reports import (
    DEFAULT_RANGE,
    LONGEST_RANGE,
    DailyFilter,
    UsageFilter,
    check_range,
)
from api.services.consent.consents import ConsentFilter
from api.services.consent.contacts import contact_to_find, errors_name, sender_to_find
from api.services.consent.inbound_texts import InboundFilter
from api.services.messages.read import CallFilter, MessageFilter
from models.enums import AlertType, Channel, ConsentStatus, MessageStatus, MessageType
from models.errors import InvalidDateRange, ValidationFailed

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ONE_MICROSECOND = timedelta(microseconds=1)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)

OneMerchant = Annotated[
    str | None,
    Query(
        alias="merchantId",
        pattern=MERCHANT_ID,
        description="Return items of this merchant only.",
        examples=["gym-a"],
    ),
]
ContactParam = Annotated[
    str,
    Query(
        min_length=1,
        max_length=320,
        description="Phone number in E.164 format, or e-mail address.",
        examples=["+18135551234"],
    ),
]
ChannelParam = Annotated[Channel, Query(description="Channel.", examples=["SMS"])]
OneChannel = Annotated[
    Channel | None,
    Query(description="Return items of this channel only.", examples=["SMS"]),
]
OneContact = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=320,
        description="Return items of this phone number (E.164) or e-mail address only.",
        examples=["+18135551234"],
    ),
]


async def _consent_filter(
    merchant_id: OneMerchant = None,
    channel: OneChannel = None,
    contact: OneContact = None,
    status: Annotated[
        ConsentStatus | None,
        Query(description="Return consents with this status only.", examples=["OPT_IN"]),
    ] = None,
) -> ConsentFilter:
    return ConsentFilter(merchant_id=merchant_id, channel=channel, contact=contact, status=status)


WantedConsents = Annotated[ConsentFilter, Depends(_consent_filter)]

TimeParam = Annotated[
    Annotated[
        str,
        StringConstraints(max_length=40),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "format": "date"},
                    {"type": "string", "format": "date-time"},
                ]
            }
        ),
    ]
    | None,
    Query(
        description="Range of the acceptance time: a UTC day (2026-04-16, inclusive) or an ISO "
        "8601 time with a time zone.",
        examples=["2026-04-01"],
    ),
]


async def _message_filter(
    metadata: Annotated[Mapping[str, str], Depends(read_metadata_filter)],
    merchant_id: OneMerchant = None,
    channel: OneChannel = None,
    status: Annotated[
        MessageStatus | None,
        Query(description="Return messages with this status only.", examples=["DELIVERED"]),
    ] = None,
    to: OneContact = None,
    type: Annotated[
        MessageType | None,
        Query(description="Return messages of this type only.", examples=["OTP"]),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Query(
            alias="idempotencyKey",
            max_length=257,
            description="Return messages that were sent with this Idempotency-Key only. One pair "
            "of surrounding double quotes is removed.",
            examples=["merchant-gym-a-otp-20260416-001"],
        ),
    ] = None,
    batch_id: Annotated[
        str | None,
        Query(
            alias="batchId",
            max_length=16,
            description="Return messages of this batch only.",
            examples=["2967034108253184"],
        ),
    ] = None,
    since: Annotated[TimeParam, Query(alias="from")] = None,
    until: TimeParam = None,
) -> MessageFilter:
    first, _ = _span("from", since)
    _, end = _span("until", until)
    if first is not None and end is not None and first >= end:
        raise InvalidDateRange(
            "until must not be before from.", (("until", "must not be before from"),)
        )
    return MessageFilter(
        merchant_id=merchant_id,
        channel=channel,
        status=status,
        to=to,
        type=type,
        idempotency_key=None if idempotency_key is None else _key(idempotency_key),
        batch_id=batch_id,
        metadata=metadata,
        since=first,
        before=end,
    )


def _key(given: str) -> str:
    key = unquoted(given)
    if key is None:
        reason = "must be 1 to 255 visible ASCII characters; a plus sign is written as %2B"
        raise ValidationFailed(errors=(("idempotencyKey", reason),))
    return key


WantedMessages = Annotated[MessageFilter, Depends(_message_filter)]


def _label(name: str, meaning: str, example: str) -> Any:
    return Query(alias=name, min_length=1, max_length=100, description=meaning, examples=[example])


async def _call_filter(
    merchant_id: OneMerchant = None,
    tenant_id: Annotated[
        str | None, _label("tenantId", "Return calls with this sub-tenant label only.", "north")
    ] = None,
    source_system: Annotated[
        str | None, _label("sourceSystem", "Return calls of this source system only.", "scheduler")
    ] = None,
    use_case: Annotated[
        str | None, _label("useCase", "Return calls of this use case only.", "reminder")
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
            description="Return messages from this phone number (E.164) only, or from this sender "
            "as it was received if it is no phone number.",
            examples=["+18135551234"],
        ),
    ] = None,
    number: Annotated[
        str | None,
        Query(
            alias="to",
            min_length=1,
            max_length=64,
            description="Return messages to this number of yours (E.164) only.",
            examples=["+18005550100"],
        ),
    ] = None,
) -> InboundFilter:
    return InboundFilter(
        merchant_id=merchant_id,
        sender=None if sender is None else sender_to_find(sender),
        number=_contact("to", number),
    )


def _contact(name: str, given: str | None) -> str | None:
    with errors_name(name):
        return None if given is None else contact_to_find(given)


WantedInbound = Annotated[InboundFilter, Depends(_inbound_filter)]


async def _usage_filter(
    since: Annotated[
        str,
        Query(
            alias="from",
            description="First day of the range, UTC, inclusive.",
            examples=["2026-04-01"],
            json_schema_extra={"format": "date"},
        ),
    ],
    until: Annotated[
        str,
        Query(
            alias="to",
            description=f"Last day, UTC, inclusive. A range has at most {LONGEST_RANGE} days.",
            examples=["2026-04-16"],
            json_schema_extra={"format": "date"},
        ),
    ],
    merchant_id: OneMerchant = None,
) -> UsageFilter:
    first, last = _day("from", since), _day("to", until)
    check_range(first, last)
    return UsageFilter(merchant_id=merchant_id, first=first, last=last)


WantedUsage = Annotated[UsageFilter, Depends(_usage_filter)]

OptionalDay = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})] | None


async def _daily_filter(
    since: Annotated[
        OptionalDay,
        Query(
            alias="from",
            description=f"First day, UTC, inclusive. Default: {DEFAULT_RANGE - 1} days before the "
            "last.",
            examples=["2026-04-01"],
        ),
    ] = None,
    until: Annotated[
        OptionalDay,
        Query(
            alias="to",
            description=f"Last day, UTC, inclusive. Default: today. A range has at most "
            f"{LONGEST_RANGE} days.",
            examples=["2026-04-16"],
        ),
    ] = None,
) -> DailyFilter:
    return DailyFilter(
        first=None if since is None else _day("from", since),
        last=None if until is None else _day("to", until),
    )


WantedDays = Annotated[DailyFilter, Depends(_daily_filter)]


def _day(name: str, given: str) -> date:
    """Parse a UTC day."""
    try:
        if _DAY.fullmatch(given):
            return date.fromisoformat(given)
    except ValueError:  # not a valid day
        pass
    reason = "must be a day, such as 2026-04-16"
    raise InvalidDateRange(f"{name} {reason}.", ((name, reason),))


def _true_or_false(given: Any) -> Any:
    """Accept only `true` and `false`: pydantic would also accept 1, on and yes."""
    if given not in ("true", "false"):
        raise ValueError("must be true or false")
    return given == "true"


async def _alert_filter(
    merchant_id: OneMerchant = None,
    type: Annotated[
        AlertType | None,
        Query(description="Return alerts of this type only.", examples=["USAGE_THRESHOLD"]),
    ] = None,
    open: Annotated[
        Annotated[bool, BeforeValidator(_true_or_false)] | None,
        Query(description="true: open alerts only. false: resolved alerts only."),
    ] = None,
) -> AlertFilter:
    return AlertFilter(merchant_id=merchant_id, type=type, open=open)


WantedAlerts = Annotated[AlertFilter, Depends(_alert_filter)]


async def _ledger_filter(
    merchant_id: OneMerchant = None, channel: OneChannel = None
) -> LedgerFilter:
    return LedgerFilter(merchant_id=merchant_id, channel=channel)


WantedMovements = Annotated[LedgerFilter, Depends(_ledger_filter)]


def _span(name: str, given: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the interval of a day or moment; both bounds are inclusive."""
    if given is None:
        return None, None
    text = given.replace(" ", "+")  # an unencoded plus sign in a query is decoded as a space
    try:
        if _DAY.fullmatch(text):
            begin = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return begin, _after(begin, timedelta(days=1))
        if WITH_ZONE.fullmatch(text):
            moment = datetime.fromisoformat(text).astimezone(UTC)
            return moment, _after(moment, _ONE_MICROSECOND)
    except (ValueError, OverflowError):  # not a valid day
        pass
    reason = "must be a day (2026-04-16) or a time with a time zone (2026-04-16T13:20:00Z)"
    raise InvalidDateRange(f"{name} {reason}.", ((name, reason),))


def _after(moment: datetime, span: timedelta) -> datetime:
    """Return the end of an interval; it is capped at the largest datetime."""
    return moment + min(span, _END_OF_TIME - moment)
