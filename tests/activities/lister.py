"""A vendor that can only list its messages, and loses answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models.enums import Channel, ReportStatus
from providers.ports.messages import (
    Accepted,
    Ambiguous,
    Answer,
    Capabilities,
    Found,
    Listed,
    LookUp,
    LookUpRequest,
    NotProcessed,
    Proof,
    Report,
    SendRequest,
    SmsRequest,
)

SKEW = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What becomes of a request: whether the vendor takes it, and whether its answer arrives."""

    taken: bool
    answered: bool = False


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One message at the vendor. The reference is for tests only: the vendor does not store it."""

    id: str
    to: str
    sender: str
    text: str
    at: datetime
    reference: str


class Lister:
    """Lists by recipient, sender, exact text and time; the last fate is repeated."""

    channels = frozenset({Channel.SMS})
    capabilities = Capabilities()
    proof = Proof.LISTING
    reports_delivery = True
    reports_price = False
    timeout = timedelta(seconds=2)

    def __init__(
        self,
        *fates: Fate,
        name: str = "lister",
        absence_window: timedelta = timedelta(0),
        delivered: bool = False,
    ) -> None:
        self.name = self.account = name
        self.absence_window = absence_window
        self.taken: list[Taken] = []
        self.sent: list[str] = []
        self.may_list = asyncio.Event()
        self.may_list.set()
        self.listing = asyncio.Event()
        self._fates = list(fates)
        self._delivered = delivered

    async def send(self, request: SendRequest) -> Answer:
        assert isinstance(request, SmsRequest)
        fate = self._fates.pop(0) if len(self._fates) > 1 else self._fates[0]
        self.sent.append(request.reference)
        id = f"{self.name}-{len(self.taken) + 1}-of-{request.reference}"
        if fate.taken:
            self.taken.append(
                Taken(
                    id=id,
                    to=request.to,
                    sender=request.sender,
                    text=request.body,
                    at=datetime.now(UTC),
                    reference=request.reference,
                )
            )
        if not fate.answered:
            return Ambiguous(reason="ReadTimeout")
        return Accepted(provider_message_id=id) if fate.taken else NotProcessed(reason="429")

    async def look_up(self, request: LookUpRequest) -> LookUp:
        listed = self._list(request)
        self.listing.set()
        await self.may_list.wait()
        if request.provider_message_id is None:
            return Listed(candidates=tuple(self._found(message) for message in listed))
        return self._found(next(m for m in self.taken if m.id == request.provider_message_id))

    def copies(self, message: int) -> int:
        """Return how many copies of a message it took, by the message's public id."""
        return sum(f"-{message}-" in taken.reference for taken in self.taken)

    def _list(self, request: LookUpRequest) -> Sequence[Taken]:
        return [
            message
            for message in self.taken
            if (message.to, message.sender, message.text)
            == (request.to, request.sender, request.text)
            and request.requested_at - SKEW <= message.at <= request.deadline + SKEW
        ]

    def _found(self, message: Taken) -> Found:
        if not self._delivered:
            return Found(provider_message_id=message.id)
        told = Report(
            event_id=f"{message.id}:delivered",
            reference="",
            status=ReportStatus.DELIVERED,
            reported_at=message.at,
            provider_message_id=message.id,
        )
        return Found(provider_message_id=message.id, reports=(told,))
