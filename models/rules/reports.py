"""What a provider tells about a message it took, whoever passes it on."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from models.enums import ErrorCode, ReportStatus, SuppressionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing a provider told.

    `event_id` is the provider's own and unique per event: the same event told twice is one report.
    """

    event_id: str
    provider_message_id: str
    """The provider's own id of the message: the only one there is if its answer was lost."""
    status: ReportStatus
    reported_at: datetime
    phase: str = ""
    """The provider's own word, shown in the event trail."""
    recipient: str | None = field(default=None, repr=False)
    """Whom of several it is about, for e-mail."""
    duration_seconds: int | None = None
    """Of an answered call."""
    suppresses: SuppressionReason | None = None
    """Why the recipient must not be written to again, if it says so."""
    error_code: ErrorCode | None = None
    provider_code: str | None = None
    price: Decimal | None = None
    """What the whole message costs in USD, never negative, without what carriers get apart."""
