"""What is known of a message, under its lock, when somebody asks how it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from models.enums import AttemptState, Channel, ErrorCode, MessageStatus, ReportStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFact:
    """One call to a provider, as it stands."""

    number: int
    provider: str
    state: AttemptState
    requested_at: datetime
    provider_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFact:
    """One stored report; `recipient` is a contact key, `duration_seconds` of an answered call."""

    attempt: int
    status: ReportStatus
    error_code: ErrorCode | None
    provider_code: str | None
    recipient: str | None = None
    duration_seconds: int | None = None
    price: Decimal | None = None
    """Of the whole message, if the report tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A message with its attempts and reports, oldest first. `units` are those it holds."""

    channel: Channel
    status: MessageStatus
    units: int
    corrected: bool
    attempts: Sequence[AttemptFact]
    reports: Sequence[ReportFact]
    recipients: Sequence[str] = ()
    """Contact keys, the first recipient first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalReport:
    """What reports add up to: the status, the units used, and the report that decided."""

    status: MessageStatus
    used: int
    report: ReportFact
