"""Twilio's codes and statuses of messages, as answers and reports of the port.

Source: twilio.com/docs/api/errors, one page per code. Twilio changes codes without notice, so an
unlisted one has a safe default: a refusal of this account only, or DELIVERY_FAILED.
"""

import re
from typing import Any, Final

import httpx

from models.enums import ErrorCode, ReportStatus, SuppressionReason
from providers import http
from providers.ports.messages import Accepted, Ambiguous, Answer, NotProcessed, Refused

SID: Final = re.compile(r"(SM|MM)[0-9a-fA-F]{32}", re.ASCII)
"""Twilio's id of a message."""

REFUSALS: Final[dict[int, tuple[ErrorCode, bool]]] = {
    21211: (ErrorCode.BAD_DESTINATION, True),  # not a phone number
    21217: (ErrorCode.BAD_DESTINATION, True),  # does not appear to be valid
    21265: (ErrorCode.BAD_DESTINATION, True),  # a short code
    21266: (ErrorCode.BAD_DESTINATION, False),  # recipient and sender are equal
    21408: (ErrorCode.PROVIDER_REFUSED, False),  # the account may not send to the country
    21610: (ErrorCode.OPTED_OUT, True),  # the recipient replied STOP
    21612: (ErrorCode.PROVIDER_REFUSED, False),  # no route from this sender to this recipient
    21614: (ErrorCode.BAD_DESTINATION, True),  # not a mobile number
    21617: (ErrorCode.PROVIDER_REFUSED, False),  # more than 1,600 characters
    21635: (ErrorCode.BAD_DESTINATION, True),  # a landline
}
"""Code on submission → our code, and whether any provider would refuse."""

ACCOUNT_FAULTS: Final = frozenset(
    {
        10001,  # the account is not active
        20003,  # wrong credentials, or suspended
        20005,  # the account is not active
        20006,  # access denied
        20008,  # test credentials may not do this
        20403,  # forbidden
        20404,  # no such account
        21609,  # Twilio cannot reach our callback address
        30002,  # the account is suspended
        63038,  # the account's messages of the day are used up
        90010,  # the account is not active
    }
)
"""Codes on submission whose cause is the account or its set-up, not the message."""

SENDER_FAULTS: Final = frozenset(
    {
        21212,  # not a valid number
        21601,  # not an SMS-capable number of this account
        21606,  # not an SMS-capable number of this account
        21659,  # not a number at Twilio
        21660,  # another account's
        21661,  # not SMS-capable
        30032,  # toll-free, not verified
        30034,  # not registered for 10DLC
    }
)
"""Codes on submission whose cause is the sender; other senders of the account are not affected."""

OVERLOADS: Final = frozenset(
    {
        14107,  # too many messages
        20429,  # too many requests
        21611,  # the queue of the sender is full
        30001,  # the queue is full
        30022,  # too many messages of the campaign
        63017,  # too many messages of the account per second
    }
)
"""Codes on submission after which the same message may be sent again later."""

FAILURES: Final[dict[int, ErrorCode]] = {
    21610: ErrorCode.OPTED_OUT,
    30003: ErrorCode.UNREACHABLE,  # the handset is off or out of reach
    30005: ErrorCode.BAD_DESTINATION,  # the number is unknown to the carrier
    30006: ErrorCode.BAD_DESTINATION,  # a landline, or a carrier that cannot be reached
    30024: ErrorCode.SENDER_NOT_REGISTERED,  # the sender is not provisioned at the carrier
    30032: ErrorCode.SENDER_NOT_REGISTERED,  # toll-free, not verified
    30034: ErrorCode.SENDER_NOT_REGISTERED,  # not registered for 10DLC
    30036: ErrorCode.EXPIRED,  # its validity period passed in Twilio's queue
    30047: ErrorCode.OUTSIDE_HOURS,  # quiet hours, and it could not be postponed
    30610: ErrorCode.OUTSIDE_HOURS,  # quiet hours
}
"""Code of an undelivered message → our code; any other is DELIVERY_FAILED.

Among the others: 30002 suspended after it was accepted, 30004 blocked, 30007 filtered, 30008
unknown.
"""

STATUSES: Final[dict[str, ReportStatus]] = {
    "sent": ReportStatus.SENT,
    "partially_delivered": ReportStatus.SENT,
    "delivered": ReportStatus.DELIVERED,
    "read": ReportStatus.DELIVERED,
    "undelivered": ReportStatus.UNDELIVERED,
    "failed": ReportStatus.FAILED,
    "canceled": ReportStatus.FAILED,
}
"""Twilio's status → ours. Those before `sent` say no more than that Twilio has the message."""

_CERTAIN: Final = frozenset({400, 401, 403, 404, 409, 422, 429})
"""Statuses with which Twilio's code states that it did nothing."""


def answer_of(response: httpx.Response) -> Answer:
    """Return what Twilio's response to a new message means."""
    status, document = response.status_code, _document(response)
    if status == httpx.codes.CREATED:
        sid = document.get("sid")
        if isinstance(sid, str) and SID.fullmatch(sid):
            return Accepted(provider_message_id=sid)
        return Ambiguous(reason="no id", provider_code=str(status))
    code = document.get("code")
    if status in _CERTAIN and type(code) is int and 0 < code < 1_000_000:
        return _not_accepted(response, code)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return NotProcessed(reason=str(status), provider_code=str(status), account_fault=True)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return _later(response, status)
    return Ambiguous(reason=str(status), provider_code=str(status))


def error_code_of(status: ReportStatus, code: int | None) -> ErrorCode | None:
    """Return our code for a final status; None if the message is not undelivered."""
    if status not in (ReportStatus.UNDELIVERED, ReportStatus.FAILED):
        return None
    return FAILURES.get(code or 0, ErrorCode.DELIVERY_FAILED)


def suppression_of(error_code: ErrorCode | None) -> SuppressionReason | None:
    """Return why the recipient must be suppressed, if the code says so."""
    return SuppressionReason.CARRIER_OPT_OUT if error_code is ErrorCode.OPTED_OUT else None


def _not_accepted(response: httpx.Response, code: int) -> Refused | NotProcessed:
    refused = REFUSALS.get(code)
    if refused is not None:
        error_code, everywhere = refused
        return Refused(error_code=error_code, provider_code=str(code), everywhere=everywhere)
    if code in OVERLOADS:
        return _later(response, code)
    status = response.status_code
    if code in SENDER_FAULTS:
        return NotProcessed(
            reason=f"{status} {code}",
            provider_code=str(code),
            retry_after=http.retry_after(response),
            sender_fault=True,
        )
    if code in ACCOUNT_FAULTS or status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return NotProcessed(
            reason=f"{status} {code}",
            provider_code=str(code),
            retry_after=http.retry_after(response),
            account_fault=True,
        )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return _later(response, code)
    return Refused(error_code=ErrorCode.PROVIDER_REFUSED, provider_code=str(code), everywhere=False)


def _later(response: httpx.Response, code: int) -> NotProcessed:
    return NotProcessed(
        reason=f"{response.status_code} {code}",
        provider_code=str(code),
        retry_after=http.retry_after(response),
    )


def _document(response: httpx.Response) -> dict[str, Any]:
    """Return the response's document; an empty one if it has none."""
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
