"""What the simulator's reports mean, posted by it or told when it is asked."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from models.enums import Channel, ErrorCode, ReportStatus, SuppressionReason
from providers.ports.messages import Report

_FAILURES: Final[dict[int, ErrorCode]] = {
    30005: ErrorCode.UNREACHABLE,
    31005: ErrorCode.DELIVERY_FAILED,
    40450: ErrorCode.UNREACHABLE,
    40550: ErrorCode.BAD_DESTINATION,
}
"""Code in a report → our word."""

_STATUSES: Final[dict[str, ReportStatus]] = {
    "sent": ReportStatus.SENT,
    "delivered": ReportStatus.DELIVERED,
    "undelivered": ReportStatus.UNDELIVERED,
    "failed": ReportStatus.FAILED,
    "ringing": ReportStatus.SENT,
    "answered": ReportStatus.SENT,
    "completed": ReportStatus.DELIVERED,
    "busy": ReportStatus.UNDELIVERED,
    "no-answer": ReportStatus.UNDELIVERED,
    "bounced": ReportStatus.UNDELIVERED,
    "complained": ReportStatus.COMPLAINED,
}
"""What the simulator calls it → what it means; a transient bounce is tried again, so still sent."""

_SUPPRESSES: Final = {
    "bounced": SuppressionReason.HARD_BOUNCE,
    "complained": SuppressionReason.COMPLAINT,
}
_UNANSWERED: Final = frozenset({"busy", "no-answer"})

_ONLY_ON: Final[dict[str, Channel]] = {
    "ringing": Channel.VOICE,
    "answered": Channel.VOICE,
    "completed": Channel.VOICE,
    "busy": Channel.VOICE,
    "no-answer": Channel.VOICE,
    "bounced": Channel.EMAIL,
    "complained": Channel.EMAIL,
}
"""Statuses that one channel has alone; the others are told of several."""

EVENT_ID: Final = 128
MESSAGE_ID: Final = 128
_PHASE: Final = 32
CODE: Final = 64
_RECIPIENT: Final = 320
"""Characters that can be stored."""

_LONGEST_CALL: Final = 2**31 - 1
"""Seconds that can be stored."""

_AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?", re.ASCII)
"""A price that can be stored."""


def look_up_reports(item: dict[str, Any], reference: str) -> list[Report]:
    """Read the events that a look-up tells of one message."""
    told = {"messageId": item["id"], "reference": reference, "channel": item.get("channel")}
    reports = (read_report({**event, **told}) for event in item["events"])
    return [report for report in reports if report is not None]


def read_report(event: dict[str, Any]) -> Report | None:
    """Read one event; None for a status of no interest to us.

    Raises:
        ValueError, KeyError, TypeError: it is no report that can be stored.
    """
    phase = str(event["status"])
    status = _STATUSES.get(phase)
    if status is None:
        return None
    transient = event.get("bounceType") == "transient"
    code = event.get("errorCode")
    told = f"{phase}, {event['bounceType']}" if event.get("bounceType") else phase
    recipient = event.get("recipient")
    return Report(
        event_id=word(event["eventId"], EVENT_ID),
        reference=str(event["reference"]),
        status=ReportStatus.SENT if transient else status,
        phase=word(told[:_PHASE], _PHASE),
        reported_at=moment(event["at"]),
        provider_message_id=word(event["messageId"], MESSAGE_ID),
        channel=_channel(event.get("channel"), phase),
        recipient=None if recipient is None else word(recipient, _RECIPIENT),
        duration_seconds=_seconds(event.get("durationSeconds")),
        suppresses=None if transient else _SUPPRESSES.get(phase),
        error_code=_error_code(phase, code),
        provider_code=None if code is None else word(str(code)[:CODE], CODE),
        price=_price(event.get("price")),
    )


def _channel(given: Any, phase: str) -> Channel | None:
    """Return the channel a report is about; None if neither it nor its status tells."""
    only = _ONLY_ON.get(phase)
    channel = only if given is None else Channel(given)
    if only not in (None, channel):
        raise ValueError("a status that the channel does not have")
    return channel


def moment(given: str) -> datetime:
    """Return a vendor's time in UTC; raises ValueError for one without a zone."""
    at = datetime.fromisoformat(given)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no time of ours") from error


def _seconds(given: Any) -> int | None:
    if given is None:
        return None
    if type(given) is not int or not 0 <= given <= _LONGEST_CALL:
        raise ValueError("no duration")
    return given


def _price(given: Any) -> Decimal | None:
    if given is None:
        return None
    if not isinstance(given, str) or not _AMOUNT.fullmatch(given):
        raise ValueError("no price")
    return Decimal(given)


def word(given: Any, longest: int) -> str:
    """Return a vendor's word, if it can be stored; what is only told may be clipped before."""
    told = str(given)
    if not 0 < len(told) <= longest or not told.isprintable():
        raise ValueError("a word that cannot be stored")
    return told


def _error_code(phase: str, code: int | None) -> ErrorCode | None:
    if phase in _UNANSWERED:
        return ErrorCode.UNREACHABLE
    return None if code is None else _FAILURES.get(code, ErrorCode.DELIVERY_FAILED)
