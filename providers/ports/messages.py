"""The port of message providers, and the closed set of their answers.

An adapter never retries and never raises for a business outcome: the workflow decides what an
answer means for the message.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeAlias

from models.enums import Channel, ErrorCode, InboundKind
from models.rules.messages.delivery_events import DeliveryEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Common fields of all requests. Contacts and texts are excluded from repr, so from logs."""

    to: str = field(repr=False)
    sender: str = field(repr=False)
    reference: str
    callback_url: str
    not_after: datetime
    """The attempt's deadline. It is passed to vendors that support one; the adapter always enforces
    it.
    """
    valid_until: datetime | None = None
    """When the message expires: a vendor that queues it must not deliver it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsRequest(Envelope):
    """One SMS to send."""

    body: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRequest(Envelope):
    """One text-to-speech call to place."""

    text: str = field(repr=False)
    record: bool
    ring_seconds: int
    """Seconds it rings until the call counts as unanswered."""
    longest_seconds: int
    """When the provider ends the call: only the minutes of this duration are held."""
    language: str | None = None
    voice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailRequest(Envelope):
    """One e-mail to send, to one recipient or a list of them."""

    recipients: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    html: str = field(repr=False)
    text: str = field(repr=False)
    reply_to: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


SendRequest: TypeAlias = SmsRequest | VoiceRequest | EmailRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider has accepted the message."""

    provider_message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The provider has definitely refused the message.

    `everywhere` states that another provider would refuse it as well (the number is wrong, the
    recipient has opted out).
    """

    error_code: ErrorCode
    provider_code: str
    everywhere: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotProcessed:
    """The provider has definitely not processed the message; it may be sent again.

    `reason` is ours and is logged; `provider_code` is the provider's own, if there is one.
    `account_fault` states that the whole account is the cause and not the message: wrong
    credentials, suspended, the vendor's own spending limit. It opens the account's circuit for all
    tenants. `sender_fault` states that the sender is the cause: not verified, not owned by the
    account. Other senders of the account are not affected. Both need an operator.
    """

    reason: str
    provider_code: str | None = None
    retry_after: timedelta | None = None
    account_fault: bool = False
    sender_fault: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """The provider may have accepted it: timeout, reset, or an error after the write."""

    reason: str
    provider_code: str | None = None


Answer: TypeAlias = Accepted | Refused | NotProcessed | Ambiguous


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(DeliveryEvent):
    """A provider's status report of an accepted message, under our reference."""

    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundText:
    """A text sent to one of our numbers, as the provider reports it.

    `event_id` is the provider's own and unique per text, so repeated reports are detected.
    """

    event_id: str
    sender: str = field(repr=False)
    """As the provider reports it: a phone number, with or without its plus sign, or a short code, a
    name or nothing.
    """
    number: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: datetime
    answered: bool = False
    """The vendor has already answered the keyword in it: nothing may be answered again."""
    keyword: InboundKind | None = None
    """The meaning that the vendor has acted on, if it states it: words can be configured there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A request of a vendor to one of our webhook addresses, as it was received."""

    url: str
    """The public address with its query, as the vendor knows it: some signatures cover it."""
    headers: Mapping[str, str] = field(repr=False)
    """Found by names in any case."""
    body: bytes = field(repr=False)


VerifyReports: TypeAlias = Callable[[Webhook], Awaitable[Sequence[Report]]]
"""Verifies a webhook and reads its reports; none if it holds no event of interest.

Raises ForgedWebhook for a wrong signature, and ValueError, KeyError or TypeError for a body that
cannot be read although its signature is right.
"""

VerifyInbound: TypeAlias = Callable[[Webhook], Awaitable[InboundText | None]]
"""Verifies a webhook and reads the text in it. Raises as VerifyReports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpRequest:
    """An attempt whose outcome or status is asked for, with what a vendor recognises it by.

    Contacts and text are excluded from repr, so from logs.
    """

    reference: str
    provider_message_id: str | None
    """The vendor's own id, if it is known."""
    channel: Channel
    to: str = field(repr=False)
    sender: str = field(repr=False)
    text: str = field(repr=False)
    """Text of an SMS or a call, HTML of an e-mail."""
    requested_at: datetime
    deadline: datetime
    """The request was written between these two times, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The provider has the message, with this status."""

    provider_message_id: str
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """All messages of the provider's list that the request may have become, oldest first.

    None may be one. Equal messages cannot be told apart in a list. The caller decides which
    candidate belongs to which attempt.
    """

    candidates: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The provider does not have the message; proves absence only after the absence window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The provider did not respond."""

    reason: str


LookUp: TypeAlias = Found | Listed | NotFound | Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A stream of a recorded call, as WAV. The receiver must read it to its end or close it."""

    length: int | None
    """Bytes, if the provider states them."""
    chunks: AsyncIterator[bytes] = field(repr=False)


Playback: TypeAlias = Recording | NotFound | Unanswered


class Proof(StrEnum):
    """How an adapter can determine after a lost answer whether a message was accepted."""

    REFERENCE = "REFERENCE"
    """By a look-up of our own reference: proves presence and absence."""
    LISTING = "LISTING"
    """By comparison with the provider's list (`Listed`): absence can only be inferred."""
    NONE = "NONE"
    """Only a report to our callback URL proves acceptance; absence cannot be proven."""


class ForgedWebhook(Exception):
    """The signature of a webhook is missing, stale or wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do with a call."""

    recording: bool = False
    ring_time: bool = False
    """It ends a call that is not answered within a given time."""
    longest_call: timedelta = timedelta(0)
    """The longest duration that it can limit a call to."""


class MessageProvider(Protocol):
    """An account at a vendor that sends messages."""

    @property
    def name(self) -> str:
        """The vendor's name in rows, trails and rate cards."""
        ...

    @property
    def account(self) -> str:
        """The account's name, unique here: in rows, routes, task queues and webhook addresses."""
        ...

    @property
    def channels(self) -> frozenset[Channel]:
        """Supported channels."""
        ...

    @property
    def proof(self) -> Proof:
        """What can be proven after a lost answer."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do with a call."""
        ...

    @property
    def reports_delivery(self) -> bool:
        """Whether it reports what became of a message; if not, an accepted message ends as SENT."""
        ...

    @property
    def reports_price(self) -> bool:
        """Whether it reports the price of each message, in a report or a look-up."""
        ...

    @property
    def timeout(self) -> timedelta:
        """Timeout of one call to send, 60 s at most; a look-up takes 10 s at most.

        Calls that may take over 10 s are made from the account's own queue only.
        """
        ...

    @property
    def absence_window(self) -> timedelta:
        """How long after an attempt's deadline NotFound proves absence."""
        ...

    async def send(self, request: SendRequest) -> Answer:
        """Send one message; never writes after the request's deadline."""
        ...

    async def look_up(self, request: LookUpRequest) -> LookUp:
        """Return the status of the message of an attempt."""
        ...


class RecordingProvider(Protocol):
    """A vendor that provides recordings of calls."""

    async def look_up(self, request: LookUpRequest) -> LookUp:
        """Return the status and the vendor's id of a call whose answer was lost."""
        ...

    async def recording(self, provider_message_id: str) -> Playback:
        """Open the recording of a call by the vendor's own id."""
        ...
