"""Parses the simulator's reports, from webhooks and look-ups."""

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from models.enums import Channel, ErrorCode, ReportStatus, SuppressionReason
from providers.ports.messages import Found, NotFound, Report
from providers.simulator.payloads import Code, Id, Moment, Payload, printable, read_payload

_FAILURES: Final[dict[str, ErrorCode]] = {
    "30005": ErrorCode.UNREACHABLE,
    "31005": ErrorCode.DELIVERY_FAILED,
    "40450": ErrorCode.UNREACHABLE,
    "40550": ErrorCode.BAD_DESTINATION,
}
"""Code in a report → our code."""

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
"""The simulator's status → our status; a transient bounce is retried, so it is still SENT."""

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
"""Statuses of one channel only; several channels share the others."""

_PHASE: Final = 32
"""Characters that can be stored."""

_AMOUNT: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?", re.ASCII)
"""A price that can be stored."""


def _price(given: object) -> Decimal:
    if not isinstance(given, str) or not _AMOUNT.fullmatch(given):
        raise ValueError("no price")
    return Decimal(given)


def _interests(event: object) -> bool:
    """Return whether an event must be parsed: its status is relevant to us."""
    return not isinstance(event, dict) or str(event.get("status", "sent")) in _STATUSES


def _interesting(events: object) -> object:
    return [*filter(_interests, events)] if isinstance(events, list) else events


_Channel = Annotated[Channel, Field(strict=False)]
_Recipient = Annotated[str, Field(max_length=320), AfterValidator(printable)]
_Seconds = Annotated[int, Field(ge=0, le=2**31 - 1)]
_Price = Annotated[Decimal, BeforeValidator(_price)]


class EventPayload(Payload):
    """One event of a message, with a relevant status."""

    event_id: Id
    status: str
    at: Moment
    error_code: Code | None = None
    duration_seconds: _Seconds | None = None
    recipient: _Recipient | None = None
    bounce_type: str | None = None
    price: _Price | None = None


class ReportPayload(EventPayload):
    """An event in a webhook."""

    message_id: Id
    reference: str
    channel: _Channel | None = None


class MessagePayload(Payload):
    """One message of a look-up, with its events."""

    id: Id
    reference: str | None = None
    channel: _Channel | None = None
    events: Annotated[list[EventPayload], BeforeValidator(_interesting)]


class MessagesPayload(Payload):
    """The response to a look-up."""

    items: list[MessagePayload]


def read_look_up(document: object, reference: str) -> Found | NotFound:
    """Parse the simulator's message with a reference.

    Raises:
        ValueError, KeyError, TypeError: it is invalid, or about another message.
    """
    items = read_payload(MessagesPayload, document).items
    if not items:
        return NotFound()
    if any("reference" in item.model_fields_set and item.reference != reference for item in items):
        raise ValueError("about another message")
    return Found(
        provider_message_id=items[0].id,
        reports=tuple(
            _report(event, item.id, reference, item.channel)
            for item in items
            for event in item.events
        ),
    )


def read_report(document: object) -> Report | None:
    """Parse a report; None for an irrelevant status.

    Raises:
        ValueError, KeyError, TypeError: it is not a report that can be stored.
    """
    if not _interests(document):
        return None
    told = read_payload(ReportPayload, document)
    return _report(told, told.message_id, told.reference, told.channel)


def _report(
    event: EventPayload, message_id: str, reference: str, channel: Channel | None
) -> Report:
    transient = event.bounce_type == "transient"
    phase = f"{event.status}, {event.bounce_type}" if event.bounce_type else event.status
    return Report(
        event_id=event.event_id,
        reference=reference,
        status=ReportStatus.SENT if transient else _STATUSES[event.status],
        phase=printable(phase[:_PHASE]),
        reported_at=event.at,
        provider_message_id=message_id,
        channel=_channel(channel, event.status),
        recipient=event.recipient,
        duration_seconds=event.duration_seconds,
        suppresses=None if transient else _SUPPRESSES.get(event.status),
        error_code=_error_code(event.status, event.error_code),
        provider_code=event.error_code,
        price=event.price,
    )


def _channel(told: Channel | None, status: str) -> Channel | None:
    """Return the channel of a report; None if neither a field nor its status determines it."""
    only = _ONLY_ON.get(status)
    channel = told or only
    if only not in (None, channel):
        raise ValueError("a status that the channel does not have")
    return channel


def _error_code(status: str, code: str | None) -> ErrorCode | None:
    if status in _UNANSWERED:
        return ErrorCode.UNREACHABLE
    return None if code is None else _FAILURES.get(code, ErrorCode.DELIVERY_FAILED)
