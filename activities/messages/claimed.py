"""Results of claiming a message, and the provider request of an attempt."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from activities.messages.account_evidence import Probe
from activities.messages.inline_report_wait import Route
from models.queries.messages.dispatch import Dispatchable
from models.queries.senders.sender_queue import SenderQueueKey, Slot
from models.rules.messages.reference import Reference
from models.rules.system.failures import TransientError
from providers.message_requests import request_for
from providers.ports.messages import Envelope, MessageProvider, SendRequest
from workflows.messages.types import DispatchResult

MARGIN: Final = timedelta(seconds=1)
"""Between the HTTP budget and the deadline: claims are committed a little before the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A committed attempt: from its commit on the provider may have the message."""

    provider: MessageProvider
    number: int
    found: Dispatchable
    deadline: datetime
    slot: Slot | None
    """The reserved slot, if its sender is rate-limited."""
    request: SendRequest = field(repr=False)
    skipped: frozenset[str] = frozenset()
    """Accounts that were to send it before this one and could not."""
    probe: Probe | None = None
    """The lease of the account's circuit, if this attempt is its probe."""

    @property
    def route(self) -> Route:
        """Return account and channel, by which the delay of reports is measured."""
        return self.provider.account, self.found.channel

    def check_time(self, ends: float) -> None:
        """Raise TransientError, which rolls the claim back, if the call might exceed the timeout.

        An activity that times out during the call leaves an attempt that takes minutes to
        reconcile. `ends` is the end of the activity, in seconds of the monotonic clock.
        """
        wait = timedelta(0) if self.slot is None else self.slot.wait
        needed = wait + self.provider.timeout + MARGIN
        if needed.total_seconds() > ends - time.monotonic():
            raise TransientError("too little time is left for the call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """No attempt was made: the message is in its sender's queue."""

    result: DispatchResult
    queue: SenderQueueKey
    first: bool


def reference_of(found: Dispatchable, number: int) -> Reference:
    """Return the reference of an attempt at its provider."""
    return Reference(tenant=found.tenant_public_id, message=found.public_id, attempt=number)


def request_of(
    found: Dispatchable,
    *,
    public_url: str,
    account: str,
    number: int,
    deadline: datetime,
    text: str,
) -> SendRequest:
    """Build the request of an attempt; `text` is the text part of an e-mail."""
    reference = reference_of(found, number)
    envelope = Envelope(
        to=found.to,
        sender=found.sender,
        reference=str(reference),
        callback_url=f"{public_url}/webhooks/{account}/{reference}",
        not_after=deadline,
        valid_until=found.candidate.expires_at,
    )
    return request_for(found.channel, envelope, found.body, found.details, text)
