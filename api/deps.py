"""What routes ask for, as annotated types.

They are `async` although most wait for nothing: FastAPI sends every other kind to a thread.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request

from api.auth import Caller
from api.idempotency import KEY_HEADER, IdempotentRequest, identify
from api.pagination import DEFAULT_LIMIT, LARGEST_LIMIT, Page
from api.schemas.base import MERCHANT_ID, WITH_ZONE
from api.services.cancel_requests import CancelRequests
from api.services.consents import ConsentFilter, Consents
from api.services.merchants import Merchants
from api.services.messages import CallFilter, MessageFilter, Messages
from api.services.readiness import Readiness
from api.services.recordings import Recordings
from api.services.sending import Sending
from api.trace import trace_of
from models.enums import Channel, ConsentStatus, MessageStatus
from models.errors import InvalidCredentials, InvalidDateRange

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ONE_MICROSECOND = timedelta(microseconds=1)


async def _caller(request: Request) -> Caller:
    caller = trace_of(request.scope).caller
    if caller is None:  # the route does not stand behind the gate in api.public
        raise InvalidCredentials
    return caller


Authenticated = Annotated[Caller, Depends(_caller)]


async def _idempotent(
    request: Request,
    caller: Authenticated,
    key: Annotated[
        str | None,
        Header(
            alias=KEY_HEADER,
            description="1 to 255 visible ASCII characters; one pair of surrounding double quotes "
            "is taken off. Reuse it to retry: the same key and request are one action, answered "
            "with `Idempotency-Replayed: true`; the same key with another request is 422. Kept at "
            "least 30 days. Without it every request is an action of its own.",
            examples=["merchant-gym-a-otp-20260416-001"],
        ),
    ] = None,
) -> IdempotentRequest:
    has_body = "content-type" in request.headers
    document = await request.json() if has_body and await request.body() else None
    return identify(request, caller, request.headers.getlist(KEY_HEADER), document)


Idempotent = Annotated[IdempotentRequest, Depends(_idempotent)]


LimitParam = Annotated[
    int, Query(ge=1, le=LARGEST_LIMIT, description="How many at most.", examples=[100])
]
CursorParam = Annotated[
    str | None,
    Query(
        max_length=300,
        description="Where to go on: taken from the `Link` header of the page before.",
    ),
]


async def _page(
    request: Request, limit: LimitParam = DEFAULT_LIMIT, cursor: CursorParam = None
) -> Page:
    return Page(limit=limit, cursor=cursor, url=request.url)


async def _page_of_calls(
    request: Request, limit: LimitParam = 50, cursor: CursorParam = None
) -> Page:
    return Page(limit=limit, cursor=cursor, url=request.url)


Paged = Annotated[Page, Depends(_page)]
PagedCalls = Annotated[Page, Depends(_page_of_calls)]

MerchantPath = Annotated[
    str,
    Path(alias="merchantId", description="Your own name for the merchant.", examples=["gym-a"]),
]
MessagePath = Annotated[
    str, Path(alias="messageId", description="Our id of the message.", examples=["10441"])
]
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


async def _merchants(request: Request) -> Merchants:
    merchants: Merchants = request.app.state.merchants
    return merchants


async def _consents(request: Request) -> Consents:
    consents: Consents = request.app.state.consents
    return consents


async def _messages(request: Request) -> Messages:
    messages: Messages = request.app.state.messages
    return messages


async def _sending(request: Request) -> Sending:
    sending: Sending = request.app.state.sending
    return sending


async def _cancel_requests(request: Request) -> CancelRequests:
    cancel_requests: CancelRequests = request.app.state.cancel_requests
    return cancel_requests


async def _recordings(request: Request) -> Recordings:
    recordings: Recordings = request.app.state.recordings
    return recordings


async def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


MerchantActions = Annotated[Merchants, Depends(_merchants)]
ConsentActions = Annotated[Consents, Depends(_consents)]
MessageReads = Annotated[Messages, Depends(_messages)]
SendActions = Annotated[Sending, Depends(_sending)]
CancelActions = Annotated[CancelRequests, Depends(_cancel_requests)]
RecordingReads = Annotated[Recordings, Depends(_recordings)]
Ready = Annotated[Readiness, Depends(_readiness)]
