"""Doubles of the dependencies of routes."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest
from api.http.outcomes import Accepted, Outcome, Replayed
from api.schemas.email import V1EmailSendRequest, V1OmniEmailSendRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.schemas.voice import V1OmniVoiceSendRequest
from api.services.messages.accept import AnsweredMessage
from api.workflow_starters import BatchStarter, UpgradeStarter, WorkflowStarter
from models.enums import Channel, MessageStatus
from models.rules.messages.batches.identity import BatchStart
from models.rules.messages.identity import SendStart
from providers.ports.messages import Found, LookUp, LookUpRequest, NotFound, Playback, Recording
from workflows.billing.start import UpgradeStart
from workflows.messages.start import SendSignal

Order = V1OmniSmsSendRequest | V1OmniVoiceSendRequest | V1OmniEmailSendRequest | V1EmailSendRequest


@dataclass
class FakeSending:
    """Accepts everything, and records its calls."""

    orders: list[Order] = field(default_factory=list)
    requests: list[IdempotentRequest] = field(default_factory=list)
    status: MessageStatus = MessageStatus.QUEUED
    error: Exception | None = None
    replayed: bool = False

    async def accept_sms(
        self, caller: Caller, order: V1OmniSmsSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Answer as if message 3364264052715392 had been accepted."""
        return self._accept(Channel.SMS, order, request)

    async def accept_voice(
        self, caller: Caller, order: V1OmniVoiceSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Likewise."""
        return self._accept(Channel.VOICE, order, request)

    async def accept_email(
        self, caller: Caller, order: V1OmniEmailSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Likewise."""
        return self._accept(Channel.EMAIL, order, request)

    async def accept_direct_email(
        self, caller: Caller, order: V1EmailSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        """Likewise."""
        return self._accept(Channel.EMAIL, order, request)

    def _accept(
        self, channel: Channel, order: Order, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        self.orders.append(order)
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        message = AnsweredMessage(
            public_id=3364264052715392,
            merchant=order.merchant_id or "",
            channel=channel,
            status=self.status,
        )
        return Replayed(message) if self.replayed else Accepted(message)


class FakeBatchStarter(BatchStarter):
    """Starts nothing, and records its calls."""

    def __init__(self) -> None:
        self.started: list[BatchStart] = []
        self.canceled: list[BatchStart] = []

    async def start(self, batch: BatchStart) -> None:
        """Record a start."""
        self.started.append(batch)

    async def cancel(self, batch: BatchStart) -> None:
        """Record a cancellation."""
        self.canceled.append(batch)


class FakeStarter(WorkflowStarter):
    """Starts nothing, and records its calls."""

    def __init__(self) -> None:
        self.started: list[SendStart] = []
        self.row_changed: list[tuple[str, SendSignal]] = []

    async def start(self, send: SendStart) -> None:
        """Record a start."""
        self.started.append(send)

    async def wake(self, workflow_id: str, signal: SendSignal) -> None:
        """Record a signal."""
        self.row_changed.append((workflow_id, signal))


class FakeUpgradeStarter(UpgradeStarter):
    """Starts nothing, and records its calls."""

    def __init__(self) -> None:
        self.started: list[UpgradeStart] = []
        self.row_changed: list[str] = []

    async def start(self, upgrade: UpgradeStart) -> None:
        """Record a start."""
        self.started.append(upgrade)

    async def wake(self, workflow_id: str) -> None:
        """Record a signal."""
        self.row_changed.append(workflow_id)


@dataclass
class Clock:
    """Returns a time that tests set."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@dataclass
class FakeRecordingProvider:
    """A provider with one recording and one known reference."""

    id: str = "call-1"
    content: bytes = b"RIFF\x00WAVE"
    reference: str | None = None
    answer: Playback | None = None
    asked: list[str] = field(default_factory=list)

    async def look_up(self, request: LookUpRequest) -> LookUp:
        """Return the id of a call."""
        return (
            Found(provider_message_id=self.id)
            if request.reference == self.reference
            else NotFound()
        )

    async def recording(self, provider_message_id: str) -> Playback:
        """Return the recording."""
        self.asked.append(provider_message_id)
        if self.answer is not None:
            return self.answer
        if provider_message_id != self.id:
            return NotFound()
        return Recording(length=len(self.content), chunks=_chunks(self.content))


async def _chunks(content: bytes) -> AsyncGenerator[bytes, None]:
    for byte in content:
        yield bytes([byte])
