"""SMS at Twilio.

Twilio has no idempotency key and stores no reference of ours: only the address of the status
callback contains it. After a lost answer the messages to the same recipient from the same sender
are listed. Equal texts cannot be told apart there, so all that fit are returned.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from models.enums import Channel
from providers.ports.messages import (
    Answer,
    Capabilities,
    Found,
    Listed,
    LookUp,
    LookUpRequest,
    NotProcessed,
    Proof,
    Report,
    SendRequest,
    SmsRequest,
    Unanswered,
)
from providers.twilio.client import Twilio, TwilioError, text
from providers.twilio.message_codes import SID, answer_of
from providers.twilio.message_reports import report_of
from providers.twilio.registry import NAME

LONGEST_VALIDITY: Final = timedelta(seconds=36_000)
"""Longest validity period, and Twilio's default."""

ABSENCE_WINDOW: Final = timedelta(minutes=5)
"""Twilio states no delay of its list; a new message is usually in it at once."""

CLOCK_SKEW: Final = timedelta(seconds=30)
"""Largest difference between our clock and Twilio's; Twilio's times are in whole seconds."""

_LONGEST_LOOK_UP: Final = timedelta(seconds=10)
"""Longest duration of a look-up with all its pages; the step that makes it has 15 s."""

_PAGE_SIZE: Final = 500
_MOST_PAGES: Final = 10
"""Most pages of one look-up. One recipient rarely gets that many messages from one sender."""

_AMOUNT: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,12})?", re.ASCII)
"""A price that can be stored."""

_OURS: Final = "outbound-api"
"""Direction of messages that were sent through the API."""


class TwilioSms:
    """An account at Twilio that sends SMS."""

    name: Final = NAME
    channels: Final = frozenset({Channel.SMS})
    proof: Final = Proof.LISTING
    capabilities: Final = Capabilities()
    reports_delivery: Final = True
    reports_price: Final = True

    def __init__(
        self,
        twilio: Twilio,
        *,
        timeout: timedelta,
        absence_window: timedelta = ABSENCE_WINDOW,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.account = twilio.account.name
        self.timeout = timeout
        self.absence_window = absence_window
        self._twilio = twilio
        self._clock = clock

    async def send(self, request: SendRequest) -> Answer:
        """Post one message. Twilio drops it if it is still queued when it expires."""
        assert isinstance(request, SmsRequest)
        validity = self._validity(request.valid_until)
        if validity < 1:
            return NotProcessed(reason="it has expired")
        answer = await self._twilio.post(
            self._twilio.api("Messages"),
            {
                "To": request.to,
                "From": request.sender,
                "Body": request.body,
                "StatusCallback": request.callback_url,
                # Twilio would replace characters, and bill other segments than we do.
                "SmartEncoded": False,
                "ValidityPeriod": validity,
            },
            not_after=request.not_after,
        )
        return answer_of(answer) if isinstance(answer, httpx.Response) else answer

    async def look_up(self, request: LookUpRequest) -> LookUp:
        """Return the message if its id is known, else all that the request may have become."""
        try:
            async with asyncio.timeout(min(self.timeout, _LONGEST_LOOK_UP).total_seconds()):
                if request.provider_message_id is not None:
                    return await self._by_id(request, request.provider_message_id)
                return Listed(candidates=await self._listed(request))
        except TwilioError as error:
            return Unanswered(reason=str(error))
        except (TimeoutError, ValueError, KeyError, TypeError) as error:
            return Unanswered(reason=type(error).__name__)

    async def _by_id(self, request: LookUpRequest, sid: str) -> LookUp:
        if not SID.fullmatch(sid):
            return Unanswered(reason="not the id of a message")
        message = await self._twilio.find(self._twilio.api(f"Messages/{sid}"))
        if message is None:
            # It was there once: it was deleted, which proves no absence.
            return Unanswered(reason="deleted")
        return _found(message, request)

    async def _listed(self, request: LookUpRequest) -> tuple[Found, ...]:
        """Return the candidates of the list, oldest first; raises TwilioError if it is too long."""
        since, until = request.requested_at - CLOCK_SKEW, request.deadline + CLOCK_SKEW
        found: list[tuple[datetime, Found]] = []
        pages = self._twilio.list_pages(
            self._twilio.api("Messages"),
            "messages",
            {"To": request.to, "From": request.sender},
            page=_PAGE_SIZE,
            most=_MOST_PAGES,
        )
        async for page in pages:
            for message in page:
                if _has_become(message, request.text):
                    created = _moment(message, "date_created")
                    if since <= created <= until:
                        found.append((created, _found(message, request)))
            if page and _is_before(page[-1], since):
                break
        found.reverse()  # the list is newest first, and its times are in whole seconds
        found.sort(key=lambda pair: pair[0])
        return tuple(candidate for _, candidate in found)

    def _validity(self, valid_until: datetime | None) -> int:
        """Return for how many seconds Twilio may keep the message in its queue; 0: it expired."""
        if valid_until is None:
            return int(LONGEST_VALIDITY.total_seconds())
        return int(min(valid_until - self._clock(), LONGEST_VALIDITY).total_seconds())


def _has_become(message: Mapping[str, Any], sent: str) -> bool:
    """Return whether a message of the list has exactly the text that was sent by API."""
    return bool(message["body"] == sent and message["direction"] == _OURS)


def _is_before(message: Mapping[str, Any], time: datetime) -> bool:
    """Return whether all later items of the list are older than a time.

    The list is newest first: Twilio's documentation has said by date of sending, which is later
    than that of creation and missing until then.
    """
    if message.get("date_sent") is None:
        return False
    return _moment(message, "date_created") < time and _moment(message, "date_sent") < time


def _found(message: Mapping[str, Any], request: LookUpRequest) -> Found:
    sid = text(message, "sid")
    report = _report(message, sid, request.reference)
    return Found(provider_message_id=sid, reports=() if report is None else (report,))


def _report(message: Mapping[str, Any], sid: str, reference: str) -> Report | None:
    code = message["error_code"]
    price, settled = _price(message)
    return report_of(
        reference=reference,
        sid=sid,
        status=text(message, "status"),
        code=code if type(code) is int else None,
        at=_moment(message, "date_updated"),
        recipient=message["to"],
        price=price,
        price_settled=settled,
    )


def _price(message: Mapping[str, Any]) -> tuple[Decimal | None, bool]:
    """Return the price in USD, and whether no other will come.

    Twilio writes charges with a minus; the price is missing at first, its currency usually not. A
    price in another currency than USD is not converted: then the rate card's holds.
    """
    price, unit = message["price"], message["price_unit"]
    if isinstance(unit, str) and unit.upper() != "USD":
        return None, True
    if price is None:
        return None, False
    if not _AMOUNT.fullmatch(price):
        raise ValueError("not a price")
    return (abs(Decimal(price)) if unit else None), True


def _moment(message: Mapping[str, Any], key: str) -> datetime:
    """Return a time (RFC 2822); raises ValueError or TypeError if it is none with a zone."""
    moment = parsedate_to_datetime(message[key])
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment
