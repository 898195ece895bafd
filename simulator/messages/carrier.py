"""The carrier: accepts messages, stores them, and schedules their reports.

It holds all state, with an index per query. The outcome table decides whether a request is
accepted; `timeline` determines what happens to the message afterwards.
"""

import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from simulator.journal import Journal, Kind
from simulator.messages.outcomes import ORDINARY, Answer, Outcome, outcome_for
from simulator.messages.submission import Submission
from simulator.messages.timeline import Message, reached, reports
from simulator.messages.views import report_payload
from simulator.webhook_sender import Webhook, WebhookSender


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of a submission: the deciding row, and the message if it was accepted."""

    outcome: Outcome
    message: Message | None


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a message that reaches a recipient at `at`."""

    message: Message
    recipient: str
    at: datetime


class Carrier:
    """All accepted messages and their copies."""

    def __init__(
        self, journal: Journal, webhook_sender: WebhookSender, report_delay: tuple[float, float]
    ) -> None:
        self._journal = journal
        self._webhook_sender = webhook_sender
        self._report_delay = report_delay
        self._messages: dict[str, Message] = {}
        self._by_reference: dict[str, list[Message]] = defaultdict(list)
        self._copies: list[Copy] = []
        self._copies_by_recipient: dict[str, list[Copy]] = defaultdict(list)
        self._failed_once: set[str] = set()

    def restore(self) -> None:
        """Restore the state of an earlier run, including unsent reports."""
        self._failed_once = {
            address for address, turn in self._journal.load(Kind.TURN) if turn["failedOnce"]
        }
        told = {id for id, _ in self._journal.load(Kind.REPORTED)}
        messages = [Message.from_document(*record) for record in self._journal.load(Kind.MESSAGE)]
        for message in sorted(messages, key=lambda message: message.accepted_at):
            self._index(message)
            if message.id not in told:
                self._report(message)

    def pause_before(self, submission: Submission) -> float:
        """Return the seconds that the carrier waits before it handles this submission."""
        return max(outcome.pause_seconds for outcome in _outcomes(submission))

    def take(self, submission: Submission, now: datetime) -> Verdict:
        """Accept or refuse a message by the table; an accepted one is delivered and reported."""
        outcomes = _outcomes(submission)
        for outcome in outcomes:
            if outcome.answer is Answer.REFUSED:
                return Verdict(outcome, None)
        if failing := self._fail_first(submission, outcomes):
            return Verdict(failing, None)
        message = Message(
            id=f"sim_{uuid.uuid4().hex}",
            submission=submission,
            accepted_at=now,
            delay=random.uniform(*self._report_delay),  # noqa: S311 - chance, not a secret
        )
        self._journal.put(Kind.MESSAGE, message.id, message.document())
        self._index(message)
        self._report(message)
        return Verdict(_answering(outcomes), message)

    def find(self, id: str) -> Message | None:
        """Return a message by id."""
        return self._messages.get(id)

    def with_reference(self, reference: str) -> Sequence[Message]:
        """Return the messages with a client's reference, oldest first."""
        return self._by_reference.get(reference, ())

    def copies(self, recipient: str | None, now: datetime) -> list[Copy]:
        """Return the copies delivered so far, to one recipient or all, newest last."""
        known = (
            self._copies
            if recipient is None
            else self._copies_by_recipient.get(recipient.lower(), ())
        )
        arrived = [copy for copy in known if copy.at <= now]
        arrived.sort(key=lambda copy: copy.at)
        return arrived

    def _fail_first(self, submission: Submission, outcomes: Sequence[Outcome]) -> Outcome | None:
        """Return the row that fails this request, if it is a number's turn to fail.

        If a request with several recipients fails, the turns of the others are unchanged.
        """
        fickle = {
            address.lower(): outcome
            for address, outcome in zip(submission.to, outcomes, strict=True)
            if outcome.first_only
        }
        failing = [address for address in fickle if address not in self._failed_once]
        if failing:
            self._failed_once.update(failing)
        else:
            self._failed_once.difference_update(fickle)
        for address in failing or fickle:
            self._journal.put(Kind.TURN, address, {"failedOnce": bool(failing)})
        return fickle[failing[0]] if failing else None

    def _index(self, message: Message) -> None:
        self._messages[message.id] = message
        self._by_reference[message.submission.reference].append(message)
        for event in reached(message):
            copy = Copy(message, event.recipient, event.at)
            self._copies.append(copy)
            self._copies_by_recipient[event.recipient.lower()].append(copy)

    def _report(self, message: Message) -> None:
        url = message.submission.callback_url
        webhooks = [
            Webhook(url, report_payload(message, report.event), report.due, report.times)
            for report in reports(message)
        ]
        if webhooks:
            self._webhook_sender.send(
                webhooks, partial(self._journal.put, Kind.REPORTED, message.id, {})
            )


def _outcomes(submission: Submission) -> list[Outcome]:
    return [outcome_for(submission.channel, address) for address in submission.to]


def _answering(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the row that determines the response to an accepted message."""
    for outcome in outcomes:
        if outcome.answer is not Answer.ACCEPTED and not outcome.first_only:
            return outcome
    return ORDINARY
