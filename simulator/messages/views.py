"""JSON views of messages, events and copies."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from simulator.clock import iso
from simulator.messages.pricing import price, segments
from simulator.messages.timeline import Event, Message, known_events
from simulator.messages.vocabulary import BounceType, Channel, Status


def message_view(message: Message, now: datetime) -> dict[str, Any]:
    """Return the view of a look-up: past events and the status they result in."""
    submission = message.submission
    happened = known_events(message, now)
    last = _decisive(message, happened)
    status = last.status if last else Status.ACCEPTED
    duration = last.duration_seconds if last else None
    cost = price(submission, status, duration)
    view: dict[str, Any] = {
        "id": message.id,
        "reference": submission.reference,
        "channel": submission.channel,
        "to": submission.to if submission.channel is Channel.EMAIL else submission.to[0],
        "from": submission.sender,
        "status": status,
        "errorCode": last.code if last else None,
        "durationSeconds": duration,
        "price": None if cost is None else str(cost),
        "acceptedAt": iso(message.accepted_at),
        "events": [_event_view(message, event) for event in happened],
    }
    if submission.channel is Channel.SMS:
        view["segments"] = segments(submission.body)
    if submission.channel is Channel.EMAIL:
        view["bounceType"] = last.bounce_type if last else None
    return view


def report_payload(message: Message, event: Event) -> dict[str, Any]:
    """Return the body of a report."""
    is_email = message.submission.channel is Channel.EMAIL
    return {
        "eventId": event.id,
        "messageId": message.id,
        "reference": message.submission.reference,
        "channel": message.submission.channel,
        "status": event.status,
        "at": iso(event.at),
        "errorCode": event.code,
        "durationSeconds": event.duration_seconds,
        "recipient": event.recipient if is_email else None,
        "bounceType": event.bounce_type,
        "price": _price(message, event),
    }


def delivery_view(message: Message, recipient: str, at: datetime) -> dict[str, Any]:
    """Return the view of one delivered copy."""
    return {
        "id": message.id,
        "channel": message.submission.channel,
        "to": recipient,
        "from": message.submission.sender,
        "reference": message.submission.reference,
        "content": message.submission.content,
        "at": iso(at),
    }


def listing(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return items in the envelope of every list of this API."""
    return {"count": len(items), "items": items}


def _event_view(message: Message, event: Event) -> dict[str, Any]:
    view: dict[str, Any] = {
        "eventId": event.id,
        "status": event.status,
        "at": iso(event.at),
        "errorCode": event.code,
        "durationSeconds": event.duration_seconds,
        "price": _price(message, event),
    }
    if message.submission.channel is Channel.EMAIL:
        view |= {"recipient": event.recipient, "bounceType": event.bounce_type}
    return view


def _price(message: Message, event: Event) -> str | None:
    """Return the price of the whole message, included in the last event of each recipient."""
    if event.bounce_type is BounceType.TRANSIENT:
        return None
    cost = price(message.submission, event.status, event.duration_seconds)
    return None if cost is None else str(cost)


def _decisive(message: Message, happened: Sequence[Event]) -> Event | None:
    """Return the event that determines the status of the message.

    With several recipients that is None until each of them has an event, and then the worst of
    their last ones: a permanent bounce, then a complaint, then the rest.
    """
    if len(message.submission.to) == 1:
        return happened[-1] if happened else None
    last_of = {event.recipient: event for event in happened}
    if len(last_of) < len(set(message.submission.to)):
        return None
    return max(last_of.values(), key=_gravity)


def _gravity(event: Event) -> int:
    if event.bounce_type is BounceType.PERMANENT:
        return 3
    if event.status is Status.COMPLAINED:
        return 2
    return 1 if event.status is Status.BOUNCED else 0
