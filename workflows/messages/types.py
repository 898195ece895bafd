"""What crosses into Temporal history: ids, words and times. Never a contact, a text or a secret.

Fields are only ever added, with a default, so that running workflows can still be read.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.enums import ErrorCode, MessageStatus
from models.rules.waits import SendWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class SendInput:
    """One accepted message to carry to its end."""

    tenant_id: int
    message_id: int
    waits: SendWaits
    merchant_id: int = 0
    """0 for what belongs to the tenant itself, and for what was started before this was told."""
    public_id: int = 0
    """Of the message, for logs."""


class Verdict(StrEnum):
    """What came of trying to hand a message to a provider."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    """For good: no other provider may try."""
    BLOCKED = "BLOCKED"
    """Policy or validity forbids it now."""
    LATER = "LATER"
    """Not due, not processed or not allowed yet; nothing was sent."""
    QUEUED_FOR_SENDER = "QUEUED_FOR_SENDER"
    """In its sender's queue; signaled when a slot is granted. `until`: if the signal is lost."""
    BUSY = "BUSY"
    """The provider's fast path is full; ask again on its own queue."""
    AMBIGUOUS = "AMBIGUOUS"
    """The provider may or may not have it."""
    OVER = "OVER"
    """The message had already ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchStep:
    """Which message to hand over."""

    tenant_id: int
    message_id: int
    merchant_id: int = 0
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchResult:
    """What came of it.

    `until` goes with LATER and QUEUED_FOR_SENDER, `error_code` with REFUSED and BLOCKED. `reported`
    says that a report is already stored, so that its signal need not be awaited.
    """

    verdict: Verdict
    provider: str | None = None
    attempt: int = 0
    until: datetime | None = None
    error_code: ErrorCode | None = None
    reported: bool = False


class Finding(StrEnum):
    """What is known of an attempt whose answer was lost."""

    FOUND = "FOUND"
    ABSENT = "ABSENT"
    UNCERTAIN = "UNCERTAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileStep:
    """Whose open attempt to look into."""

    tenant_id: int
    message_id: int
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileResult:
    """What was found; `reported` says that a last word on delivery is stored as well."""

    finding: Finding
    reported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PollStep:
    """Whose delivery to ask the provider about."""

    tenant_id: int
    message_id: int
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """Whether a last word on delivery is stored now."""

    reported: bool


class Ending(StrEnum):
    """Why the workflow of a message is over."""

    REPORTED = "REPORTED"
    REFUSED = "REFUSED"
    BLOCKED = "BLOCKED"
    GIVEN_UP = "GIVEN_UP"
    """No truth within the horizon."""
    OVER = "OVER"
    """Somebody else ended it: the row says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleStep:
    """How a message ended, as far as the workflow knows; stored reports say the rest."""

    tenant_id: int
    message_id: int
    ending: Ending
    error_code: ErrorCode | None = None
    merchant_id: int = 0
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleResult:
    """Where the message stands now.

    `completed` is False while only a report can tell; `moved` says that this very call ended it.
    """

    status: MessageStatus
    completed: bool
    moved: bool = False
