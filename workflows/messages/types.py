"""Inputs and results of `send-message` in Temporal history: ids, enum values and times. They hold
no contact, message text or secret.

Fields are only added, with a default, so that running workflows can still be read.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.enums import ErrorCode, MessageStatus
from models.rules.waits import SendWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class SendInput:
    """One accepted message to drive to a terminal status."""

    tenant_id: int
    message_id: int
    waits: SendWaits
    merchant_id: int = 0
    """Row id; 0 for the tenant's own messages."""
    public_id: int = 0
    """Public id of the message, for logs."""


class Verdict(StrEnum):
    """Result of trying to hand a message to a provider."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    """Permanently: no other provider may try."""
    BLOCKED = "BLOCKED"
    """Policy or validity forbids the send now."""
    LATER = "LATER"
    """Not due, not processed or not allowed yet; nothing was sent."""
    QUEUED_FOR_SENDER = "QUEUED_FOR_SENDER"
    """Queued for its sender; signaled when a slot is granted. `until` covers a lost signal."""
    BUSY = "BUSY"
    """The provider's fast path is full or its calls are slow: use its own task queue."""
    AMBIGUOUS = "AMBIGUOUS"
    """The provider may or may not have accepted it."""
    OVER = "OVER"
    """The message was already terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchStep:
    """The message to dispatch.

    `budget` is set in the queue of an account with slow calls.
    """

    tenant_id: int
    message_id: int
    merchant_id: int = 0
    public_id: int = 0
    budget: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleResult:
    """Status after settling.

    `completed` is False while another attempt or report is outstanding; `moved` means that this
    call wrote the terminal status.
    """

    status: MessageStatus
    completed: bool
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchResult:
    """Result of a dispatch.

    `provider` is the name of the account. `until` is set with LATER and QUEUED_FOR_SENDER, and with
    BUSY in an account's queue; `error_code` with REFUSED and BLOCKED.
    `budget` is set with BUSY for an account with slow calls.
    `reported` means that no signal need be awaited: a report is already stored, or none will come.
    `settled` is set if the step has settled the message as well; its status is then final.
    """

    verdict: Verdict
    provider: str | None = None
    attempt: int = 0
    until: datetime | None = None
    error_code: ErrorCode | None = None
    reported: bool = False
    budget: timedelta | None = None
    settled: SettleResult | None = None


class Finding(StrEnum):
    """What is known of an attempt whose answer was lost."""

    FOUND = "FOUND"
    ABSENT = "ABSENT"
    UNCERTAIN = "UNCERTAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileStep:
    """The message whose open attempt is to be reconciled."""

    tenant_id: int
    message_id: int
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileResult:
    """Result of reconciling; `reported` means that a final report is stored too, or none comes."""

    finding: Finding
    reported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollStep:
    """The message whose delivery the provider is asked about."""

    tenant_id: int
    message_id: int
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """Whether a final report is stored now."""

    reported: bool


class Ending(StrEnum):
    """Why the workflow of a message ends."""

    REPORTED = "REPORTED"
    REFUSED = "REFUSED"
    BLOCKED = "BLOCKED"
    GIVEN_UP = "GIVEN_UP"
    """The outcome is still unknown at the horizon."""
    OVER = "OVER"
    """The message was ended elsewhere; the row has the status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleStep:
    """How a message ended, as far as the workflow knows; stored reports supply the rest."""

    tenant_id: int
    message_id: int
    ending: Ending
    error_code: ErrorCode | None = None
    merchant_id: int = 0
    public_id: int = 0
