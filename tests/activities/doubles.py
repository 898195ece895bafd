"""A scripted provider that records its calls."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from models.enums import Channel, ErrorCode, ReportStatus
from providers.ports.messages import (
    Accepted,
    Ambiguous,
    Answer,
    Capabilities,
    Found,
    LookUp,
    LookUpRequest,
    NotFound,
    NotProcessed,
    Proof,
    Refused,
    Report,
    SendRequest,
    Unanswered,
)

OWN = "own"
"""Placeholder for the provider's id of the requested message."""

ACCEPTED = Accepted(provider_message_id=OWN)
REFUSED = Refused(error_code=ErrorCode.PROVIDER_REFUSED, provider_code="30007", everywhere=False)
REFUSED_EVERYWHERE = Refused(
    error_code=ErrorCode.BAD_DESTINATION, provider_code="21211", everywhere=True
)
NOT_PROCESSED = NotProcessed(reason="429")
AMBIGUOUS = Ambiguous(reason="ReadTimeout")
FOUND = Found(provider_message_id=OWN)
NOT_FOUND = NotFound()
NO_TRUTH = Unanswered(reason="ConnectError")


class Scripted:
    """Returns scripted answers; the last one is repeated."""

    channels = frozenset({Channel.SMS})
    capabilities = Capabilities()

    def __init__(
        self,
        *answers: Answer | Exception,
        truths: Iterable[LookUp] = (NOT_FOUND,),
        name: str = "one",
        proof: Proof = Proof.REFERENCE,
        absence_window: timedelta = timedelta(0),
        reports_price: bool = False,
        reports_delivery: bool = True,
        timeout: timedelta = timedelta(seconds=2),
    ) -> None:
        self.reports_delivery = reports_delivery
        self.timeout = timeout
        self.name = name
        self.account = name
        self.proof = proof
        self.absence_window = absence_window
        self.reports_price = reports_price
        self.sent: list[SendRequest] = []
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._calls: asyncio.Queue[None] = asyncio.Queue()
        self._answers = list(answers) or [ACCEPTED]
        self._truths = list(truths)

    async def send(self, request: SendRequest) -> Answer:
        self.sent.append(request)
        self._calls.put_nowait(None)
        await self.may_answer.wait()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Accepted) and answer.provider_message_id == OWN:
            return Accepted(provider_message_id=own_id(request.reference))
        return answer

    def answer(self, *answers: Answer | Exception) -> None:
        """Return these answers from now on."""
        self._answers = list(answers)

    def find(self, *truths: LookUp) -> None:
        """Return these results of look-ups from now on."""
        self._truths = list(truths)

    async def called(self, times: int = 1) -> None:
        """Wait for so many further calls."""
        for _ in range(times):
            await self._calls.get()

    async def look_up(self, request: LookUpRequest) -> LookUp:
        reference = request.reference
        self.asked.append(reference)
        truth = self._truths.pop(0) if len(self._truths) > 1 else self._truths[0]
        if not isinstance(truth, Found):
            return truth
        own = own_id(reference)
        return Found(
            provider_message_id=_named(truth.provider_message_id, own),
            reports=tuple(
                replace(told, provider_message_id=_named(told.provider_message_id, own))
                for told in truth.reports
            ),
        )


def own_id(reference: str) -> str:
    """Return this provider's id of the message with a reference."""
    return f"id-{reference}"


def _named(id: str, own: str) -> str:
    return own if id == OWN else id


def report(status: ReportStatus, *, reference: str = "", event_id: str = "e1") -> Report:
    """Return a report of a provider."""
    return Report(
        event_id=event_id,
        reference=reference,
        status=status,
        reported_at=datetime.now(UTC),
        provider_message_id=OWN,
    )
