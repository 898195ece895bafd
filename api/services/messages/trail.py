"""Builds the event history of a message from its row, its attempts and the delivery reports."""

from collections.abc import Iterator, Sequence

from api.schemas.base import instant
from api.schemas.messages import MessageEvent
from models.enums import TERMINAL, AttemptState, Channel, MessageStatus, ReportStatus
from models.rules.messages.dispatch_decision import HELD_BACK_AT_MOST
from models.tables.message import Attempt, Message, Receipt

_OUTCOMES: dict[AttemptState, tuple[MessageStatus, str]] = {
    AttemptState.ACCEPTED: (MessageStatus.SENT, "The provider has taken the message."),
    AttemptState.REFUSED: (MessageStatus.SENDING, "The provider refused the message."),
    AttemptState.NOT_PROCESSED: (
        MessageStatus.SENDING,
        "The provider did not process the message.",
    ),
    AttemptState.AMBIGUOUS: (
        MessageStatus.SENDING,
        "The provider's answer was lost; the outcome is being reconciled.",
    ),
    AttemptState.ABSENT: (
        MessageStatus.SENDING,
        "Reconciled: the provider never took the message.",
    ),
}

_REPORTED: dict[ReportStatus, MessageStatus] = {
    ReportStatus.SENT: MessageStatus.SENT,
    ReportStatus.DELIVERED: MessageStatus.DELIVERED,
    ReportStatus.UNDELIVERED: MessageStatus.UNDELIVERED,
    ReportStatus.FAILED: MessageStatus.FAILED,
    ReportStatus.COMPLAINED: MessageStatus.DELIVERED,
}
"""A complaint does not revoke the delivery: only a delivered message can cause one."""

_ENDS: dict[MessageStatus, str] = {MessageStatus.CANCELED: "Canceled before it was sent."}


def trail(
    message: Message, attempts: Sequence[Attempt], receipts: Sequence[Receipt]
) -> list[MessageEvent]:
    """Return the events, oldest first."""
    events = [
        _event(MessageStatus.QUEUED, message.accepted_at, detail="Accepted."),
        *_postponed(message),
        *(event for attempt in attempts for event in _attempted(attempt)),
        *_reported(message, attempts, receipts),
    ]
    events += _held_back(message, events)
    events += _ended(message, events)
    return sorted(events, key=lambda event: event.at)


def _postponed(message: Message) -> Iterator[MessageEvent]:
    if message.due_at > message.accepted_at:
        yield _event(
            MessageStatus.SCHEDULED,
            message.accepted_at,
            detail=f"Waits until {instant(message.due_at)}.",
        )


def _held_back(message: Message, events: Sequence[MessageEvent]) -> Iterator[MessageEvent]:
    """Append that the message was not sent when it was due; its status did not change."""
    if message.held_back_at is None:
        return
    before = [event for event in events if event.at <= message.held_back_at] or events[:1]
    latest = max(before, key=lambda event: event.at)
    # Of events with the same time, such as QUEUED and SCHEDULED, the later in the list applies.
    status = [event.status for event in before if event.at == latest.at][-1]
    yield _event(
        status,
        message.held_back_at,
        detail="Held back because the merchant is inactive. Waits until it is active again, "
        f"at most {HELD_BACK_AT_MOST.days} days past due.",
    )


def _attempted(attempt: Attempt) -> Iterator[MessageEvent]:
    yield _event(
        MessageStatus.SENDING,
        attempt.requested_at,
        attempt=attempt.number,
        provider=attempt.provider,
        detail="Handed to the provider.",
    )
    state = AttemptState(attempt.state)
    outcome = _OUTCOMES.get(state)
    if outcome is not None and attempt.finished_at is not None:
        status, detail = outcome
        if state is AttemptState.ACCEPTED and attempt.lost_at is not None:
            detail = "The provider's answer was lost; it is proven that it has taken the message."
        yield _event(
            status,
            attempt.finished_at,
            attempt=attempt.number,
            provider=attempt.provider,
            provider_code=attempt.provider_code,
            detail=detail,
        )


def _reported(
    message: Message, attempts: Sequence[Attempt], receipts: Sequence[Receipt]
) -> Iterator[MessageEvent]:
    for receipt in receipts:
        # For SMS, "sent" repeats what the provider's response or the look-up has already shown.
        if message.channel is Channel.SMS and receipt.status is ReportStatus.SENT:
            continue
        yield _event(
            _REPORTED[ReportStatus(receipt.status)],
            # A provider's clock may be behind; no report precedes its request.
            max(
                [receipt.reported_at]
                + [a.requested_at for a in attempts if a.number == receipt.attempt]
            ),
            attempt=receipt.attempt,
            provider=receipt.provider,
            provider_code=receipt.provider_code,
            phase=receipt.phase or None,
            recipient=receipt.recipient,
            duration_seconds=receipt.duration_seconds,
            detail="Reported by the provider.",
        )


def _ended(message: Message, events: Sequence[MessageEvent]) -> Iterator[MessageEvent]:
    """Append the end that no provider reports: canceled, expired, refused, given up."""
    status = MessageStatus(message.status)
    if status not in TERMINAL or any(event.status is status for event in events):
        return
    yield _event(
        status,
        max([event.at for event in events] + [message.completed_at or message.accepted_at]),
        provider=message.provider,
        provider_code=message.provider_code,
        detail=str(message.error_code) if message.error_code else _ENDS.get(status),
    )


def _event(status: MessageStatus, at: object, **facts: object) -> MessageEvent:
    told: dict[str, object] = {"status": status, "at": at, **facts}
    return MessageEvent.model_validate({**dict.fromkeys(MessageEvent.model_fields), **told})
