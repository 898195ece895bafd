"""What every vendor's adapter looks like from inside, and the closed set of its answers.

An adapter never retries and never raises for a business outcome: the workflow decides what an
answer means for the message.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeAlias

from models.enums import Channel, ErrorCode, ReportStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsRequest:
    """One SMS to hand over. Its text and numbers appear in no repr, so in no log or traceback."""

    to: str = field(repr=False)
    sender: str = field(repr=False)
    body: str = field(repr=False)
    reference: str
    callback_url: str
    not_after: datetime
    """The attempt's deadline: vendors that take one are told, the adapter keeps it for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider has taken it."""

    provider_message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The provider surely did not and will not take it.

    `everywhere` says that another provider would refuse it as well (the number is wrong, the
    recipient has opted out).
    """

    error_code: ErrorCode
    provider_code: str
    everywhere: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotProcessed:
    """The provider surely did nothing with it; it may be tried again."""

    provider_code: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """The provider may or may not have taken it: time-out, reset, or an error after the write."""

    provider_code: str


Answer: TypeAlias = Accepted | Refused | NotProcessed | Ambiguous


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a provider says of a message it took.

    `event_id` is the provider's own and unique per event: the same event told twice is one report.
    """

    event_id: str
    reference: str
    status: ReportStatus
    reported_at: datetime
    provider_message_id: str
    error_code: ErrorCode | None = None
    provider_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The provider has it, and this is what it tells of it."""

    provider_message_id: str
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The provider does not know it (yet): absence only once the fence has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTruth:
    """The provider could not be asked."""

    provider_code: str


LookUp: TypeAlias = Found | NotFound | NoTruth


class Proof(StrEnum):
    """How an adapter can tell whether a message was taken after its answer was lost."""

    REFERENCE = "REFERENCE"
    """A look-up by our own reference: provable both ways."""
    LISTING = "LISTING"
    """By comparing what the provider lists: absence is an inference after a window."""
    NONE = "NONE"
    """Only a report on our callback address proves anything; absence never."""


class ForgedWebhook(Exception):
    """The signature of a webhook is missing, stale or wrong."""


class MessageProvider(Protocol):
    """A vendor that carries messages."""

    @property
    def name(self) -> str:
        """The word for this provider in rows, routes and task queues."""
        ...

    @property
    def channels(self) -> frozenset[Channel]:
        """What it carries."""
        ...

    @property
    def proof(self) -> Proof:
        """What can be proven here after a lost answer."""
        ...

    @property
    def timeout(self) -> timedelta:
        """The budget of one call."""
        ...

    @property
    def absence_window(self) -> timedelta:
        """How long after an attempt's deadline its absence is sure."""
        ...

    async def send(self, request: SmsRequest) -> Answer:
        """Hand one message over; never writes after the request's deadline."""
        ...

    async def look_up(self, reference: str) -> LookUp:
        """Ask whether, and how far, the message of a reference came."""
        ...
