"""Computes everything that happens to an accepted message, as a pure function of the message.

No event is stored or changed: the submission, the time of acceptance and the drawn delay determine
all events, when each is reported, and which copies reach a recipient. A look-up selects the events
that lie in the past. So a restart loses nothing; a kill may lose the most recent messages, which
the journal had not written yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulator.messages.outcomes import DeliveryOutcome, Outcome, Reporting, outcome_for
from simulator.messages.submission import Submission, parse_submission
from simulator.messages.vocabulary import BounceType, Channel, Code, Status

LATE_REPORT = timedelta(milliseconds=200)
"""Delay of the overtaken reports in a row with reports out of order."""


@dataclass(frozen=True, slots=True)
class Message:
    """An accepted message; its delivery ends `delay` seconds after acceptance."""

    id: str
    submission: Submission
    accepted_at: datetime
    delay: float

    def document(self) -> dict[str, Any]:
        """Return the JSON that `from_document` reads back unchanged."""
        return {
            "submission": self.submission.document(),
            "acceptedAt": self.accepted_at.isoformat(),
            "delay": self.delay,
        }

    @classmethod
    def from_document(cls, id: str, document: dict[str, Any]) -> "Message":
        """Read back what `document` wrote."""
        return cls(
            id,
            parse_submission(document["submission"]),
            datetime.fromisoformat(document["acceptedAt"]),
            document["delay"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of a message, for one recipient."""

    id: str
    status: Status
    at: datetime
    recipient: str
    code: Code | None = None
    duration_seconds: int | None = None
    bounce_type: BounceType | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """An event that is posted to the callback URL at `due`, `times` times."""

    event: Event
    due: datetime
    times: int = 1


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a delivery, after a share of the message's delay."""

    status: Status
    share: float
    bounce_type: BounceType | None = None


_DELIVERIES: dict[tuple[Channel, DeliveryOutcome], tuple[_Step, ...]] = {
    (Channel.SMS, DeliveryOutcome.DELIVERED): (_Step(Status.SENT, 0.5), _Step(Status.DELIVERED, 1)),
    (Channel.SMS, DeliveryOutcome.UNDELIVERED): (_Step(Status.UNDELIVERED, 1),),
    (Channel.VOICE, DeliveryOutcome.DELIVERED): (
        _Step(Status.RINGING, 0.33),
        _Step(Status.ANSWERED, 0.67),
        _Step(Status.COMPLETED, 1),
    ),
    (Channel.VOICE, DeliveryOutcome.UNDELIVERED): (_Step(Status.UNDELIVERED, 1),),
    (Channel.VOICE, DeliveryOutcome.BUSY): (_Step(Status.BUSY, 1),),
    (Channel.VOICE, DeliveryOutcome.NO_ANSWER): (
        _Step(Status.RINGING, 0.5),
        _Step(Status.NO_ANSWER, 1),
    ),
    (Channel.VOICE, DeliveryOutcome.FAILED): (_Step(Status.FAILED, 1),),
    (Channel.EMAIL, DeliveryOutcome.DELIVERED): (_Step(Status.DELIVERED, 1),),
    (Channel.EMAIL, DeliveryOutcome.BOUNCED): (_Step(Status.BOUNCED, 1, BounceType.PERMANENT),),
    (Channel.EMAIL, DeliveryOutcome.BOUNCED_ONCE): (
        _Step(Status.BOUNCED, 0.5, BounceType.TRANSIENT),
        _Step(Status.DELIVERED, 1),
    ),
    (Channel.EMAIL, DeliveryOutcome.COMPLAINED): (
        _Step(Status.DELIVERED, 0.5),
        _Step(Status.COMPLAINED, 1),
    ),
}

_ERRORS = frozenset({Status.UNDELIVERED, Status.FAILED})
_UNANSWERED = frozenset({Status.UNDELIVERED, Status.BUSY, Status.NO_ANSWER, Status.FAILED})
_REACHED = frozenset({Status.DELIVERED, Status.ANSWERED})
_UNDER_WAY = frozenset({Status.SENT, Status.RINGING})


def events(message: Message) -> list[Event]:
    """Return all events of the message, past and future, oldest first."""
    found = [
        _event(message, recipient, outcome, step, f"{message.id}_{row}_{stop}")
        for row, recipient in enumerate(message.submission.to)
        for outcome in (outcome_for(message.submission.channel, recipient),)
        for stop, step in enumerate(_DELIVERIES[message.submission.channel, outcome.delivery])
    ]
    if len(message.submission.to) > 1:
        found.sort(key=lambda event: event.at)
    return found


def known_events(message: Message, now: datetime) -> list[Event]:
    """Return the events that a look-up shows at this moment."""
    concealed = _outcome(message).conceals_end
    return [
        event
        for event in events(message)
        if event.at <= now and (not concealed or event.status in _UNDER_WAY)
    ]


def reports(message: Message) -> list[Report]:
    """Return the reported events, in the order in which they are posted."""
    happened = events(message)
    match _outcome(message).reporting:
        case Reporting.IN_ORDER:
            return [Report(event, event.at) for event in happened]
        case Reporting.TWICE:
            return [Report(event, event.at, times=2) for event in happened]
        case Reporting.LAST_FIRST:
            return _last_first(happened)
        case Reporting.NEVER:
            return []


def reached(message: Message) -> list[Event]:
    """Return the events at which a copy reaches a recipient, one per recipient reached."""
    return [event for event in events(message) if event.status in _REACHED]


def _outcome(message: Message) -> Outcome:
    """Return the row of the first recipient; only numbers have rows with different timelines."""
    return outcome_for(message.submission.channel, message.submission.to[0])


def _last_first(happened: Sequence[Event]) -> list[Report]:
    *overtaken, last = happened
    late = last.at + LATE_REPORT
    return [Report(last, last.at), *(Report(event, late) for event in overtaken)]


def _event(message: Message, recipient: str, outcome: Outcome, step: _Step, id: str) -> Event:
    code = outcome.code if step.status in _ERRORS else None
    if step.bounce_type is not None:
        permanent = step.bounce_type is BounceType.PERMANENT
        code = Code.MAILBOX_UNKNOWN if permanent else Code.MAILBOX_BUSY
    return Event(
        id=id,
        status=step.status,
        at=message.accepted_at + timedelta(seconds=message.delay * step.share),
        recipient=recipient,
        code=code,
        duration_seconds=_duration(message.submission, outcome, step.status),
        bounce_type=step.bounce_type,
    )


def _duration(submission: Submission, outcome: Outcome, status: Status) -> int | None:
    """Return the duration of a call at its end; it never exceeds its maximum."""
    if submission.channel is not Channel.VOICE:
        return None
    if status is Status.COMPLETED:
        return min(outcome.talk_seconds, submission.max_duration_seconds)
    return 0 if status in _UNANSWERED else None
