"""What every vendor's adapter looks like from inside, and the closed set of its answers.

An adapter never retries and never raises for a business outcome: the workflow decides what an
answer means for the message.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeAlias

from models.enums import Channel, ErrorCode
from models.rules.messages.delivery_events import DeliveryEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every request to a provider carries. Contacts and texts are in no repr, so in no log."""

    to: str = field(repr=False)
    sender: str = field(repr=False)
    reference: str
    callback_url: str
    not_after: datetime
    """The attempt's deadline: vendors that take one are told, the adapter keeps it for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsRequest(Envelope):
    """One SMS to hand over."""

    body: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRequest(Envelope):
    """One text-to-speech call to place."""

    text: str = field(repr=False)
    record: bool
    ring_seconds: int
    """How long it rings before nobody answered."""
    longest_seconds: int
    """When the provider ends the call: no more minutes than these are held."""
    language: str | None = None
    voice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailRequest(Envelope):
    """One e-mail to hand over, to one recipient or a list of them."""

    recipients: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    html: str = field(repr=False)
    text: str = field(repr=False)
    reply_to: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


SendRequest: TypeAlias = SmsRequest | VoiceRequest | EmailRequest


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
    """The provider surely did nothing with it; it may be tried again.

    `reason` is ours and goes to the log; `provider_code` is the provider's own, if it gave one.
    """

    reason: str
    provider_code: str | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """The provider may or may not have taken it: time-out, reset, or an error after the write."""

    reason: str
    provider_code: str | None = None


Answer: TypeAlias = Accepted | Refused | NotProcessed | Ambiguous


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(DeliveryEvent):
    """What a provider says of a message it took, under our reference."""

    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundText:
    """A text somebody sent to one of our numbers, as the provider tells it.

    `event_id` is the provider's own and unique per text: the same text told twice is one.
    """

    event_id: str
    sender: str = field(repr=False)
    """As the provider has it, a phone number in E.164 form; it may be a short code, a name or
    nothing."""
    number: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The provider has it, and this is what it tells of it."""

    provider_message_id: str
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The provider does not know it (yet): absence only once the fence has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The provider could not be asked."""

    reason: str


LookUp: TypeAlias = Found | NotFound | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recorded call on its way, as WAV: whoever got it reads it to its end or lets go of it."""

    length: int | None
    """Bytes, if the provider says how many."""
    chunks: AsyncIterator[bytes] = field(repr=False)


Playback: TypeAlias = Recording | NotFound | Unanswered


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
    def reports_price(self) -> bool:
        """Whether it tells what each message costs, with a report or when asked."""
        ...

    @property
    def timeout(self) -> timedelta:
        """The budget of one call."""
        ...

    @property
    def absence_window(self) -> timedelta:
        """How long after an attempt's deadline its absence is sure."""
        ...

    async def send(self, request: SendRequest) -> Answer:
        """Hand one message over; never writes after the request's deadline."""
        ...

    async def look_up(self, reference: str) -> LookUp:
        """Ask whether, and how far, the message of a reference came."""
        ...


class RecordingProvider(Protocol):
    """A vendor that plays recorded calls back."""

    async def look_up(self, reference: str) -> LookUp:
        """Ask for the vendor's own id of a call whose answer was lost."""
        ...

    async def recording(self, provider_message_id: str) -> Playback:
        """Open the recording of a call by the vendor's own id."""
        ...
