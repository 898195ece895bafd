"""Facts about a message, read under its lock, by which its end is decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from models.enums import AttemptState, Channel, ErrorCode, MessageStatus, ReportStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFact:
    """State of one call to a provider."""

    number: int
    provider: str
    account: str
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
    """Price of the whole message, if the report contains it."""
    price_settled: bool = False
    """No other price comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A message with its attempts and reports, oldest first. `units` are the held units."""

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
    """The final result of the reports: status, units used, and the report that decided."""

    status: MessageStatus
    used: int
    report: ReportFact
