"""Handing a message to a provider: claim, call, conclude."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from temporalio import activity

from models.enums import AttemptState, ErrorCode
from models.queries import dispatching
from models.queries.dispatching import Dispatchable
from models.rules.dispatching import Decision, Move, decide
from models.rules.reference import Reference
from models.session import Database, WriteSession
from providers.ports import (
    Accepted,
    Ambiguous,
    Answer,
    MessageProvider,
    NotProcessed,
    Refused,
    SmsRequest,
)
from providers.routing import PastAttempt, Routes
from workflows.types import DispatchResult, DispatchStep, Verdict

log = logging.getLogger(__name__)

_MARGIN = timedelta(seconds=1)
"""Between the HTTP budget and the deadline: claims are committed a little before the call."""

_BACK_OFF_FIRST = timedelta(seconds=1)
_BACK_OFF_LONGEST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A committed attempt: from here on the provider may have the message."""

    provider: MessageProvider
    number: int
    found: Dispatchable
    deadline: datetime


class Slots:
    """Calls in flight per provider in this process: one slow vendor must not stop the others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, int] = {}

    def take(self, provider: str, held: ExitStack) -> bool:
        """Occupy a slot until `held` is closed; False if there is none left."""
        taken = self._taken.get(provider, 0)
        if taken >= self._most:
            return False
        self._taken[provider] = taken + 1
        held.callback(self._give_back, provider)
        return True

    def _give_back(self, provider: str) -> None:
        self._taken[provider] -= 1


class Dispatching:
    """Carries a claimed message over the one line that cannot be taken back."""

    def __init__(
        self,
        database: Database,
        routes: Routes,
        *,
        public_url: str,
        slots: int,
    ) -> None:
        self._database = database
        self._routes = routes
        self._public_url = public_url.rstrip("/")
        self._slots = Slots(slots)

    @activity.defn(name="dispatch")
    async def dispatch(self, step: DispatchStep) -> DispatchResult:
        """Hand the message over on the fast path, or say that it is BUSY.

        Safe to run twice: the second run finds the first one's attempt and says AMBIGUOUS.
        """
        return await self._hand_over(step, fast=True)

    @activity.defn(name="dispatch_queued")
    async def dispatch_queued(self, step: DispatchStep) -> DispatchResult:
        """Hand it over whatever the fast path says; the queue has slots of its own."""
        return await self._hand_over(step, fast=False)

    async def _hand_over(self, step: DispatchStep, *, fast: bool) -> DispatchResult:
        with ExitStack() as held:
            async with self._database.transaction() as db:
                claimed = await self._claim(db, step, held if fast else None)
            if isinstance(claimed, DispatchResult):
                return claimed
            answer = await claimed.provider.send(self._request(step, claimed))
        return await self._conclude(step, claimed, answer)

    async def _claim(
        self, db: WriteSession, step: DispatchStep, held: ExitStack | None
    ) -> Claimed | DispatchResult:
        """Commit the attempt as REQUESTED, or say why there is none."""
        found = await dispatching.lock_for_dispatch(
            db, tenant_id=step.tenant_id, message_id=step.message_id
        )
        if found is None:
            return DispatchResult(verdict=Verdict.OVER)
        now = datetime.now(UTC)
        decision = decide(found.candidate, now)
        if decision.move is not Move.CLAIM:
            return _without_claim(decision, found)
        past = [PastAttempt(provider=a.provider, state=a.state) for a in found.attempts]
        provider = self._routes.following(found.delivery_mode, found.channel, past)
        if provider is None:
            return DispatchResult(verdict=Verdict.REFUSED, error_code=ErrorCode.NO_PROVIDER)
        if held is not None and not self._slots.take(provider.name, held):
            return DispatchResult(verdict=Verdict.BUSY, provider=provider.name)
        claimed = Claimed(
            provider=provider,
            number=len(found.attempts) + 1,
            found=found,
            deadline=now + provider.timeout + _MARGIN,
        )
        await dispatching.claim(
            db,
            tenant_id=step.tenant_id,
            message_id=step.message_id,
            number=claimed.number,
            provider=provider.name,
            now=now,
            deadline=claimed.deadline,
        )
        return claimed

    def _request(self, step: DispatchStep, claimed: Claimed) -> SmsRequest:
        reference = Reference(
            tenant_id=step.tenant_id, message_id=step.message_id, attempt=claimed.number
        )
        return SmsRequest(
            to=claimed.found.to,
            sender=claimed.found.sender,
            body=claimed.found.body,
            reference=str(reference),
            callback_url=f"{self._public_url}/webhooks/{claimed.provider.name}/{reference}",
            not_after=claimed.deadline,
        )

    async def _conclude(
        self, step: DispatchStep, claimed: Claimed, answer: Answer
    ) -> DispatchResult:
        """Write what came of the call; if this fails, the attempt stays open and is reconciled."""
        state, provider_message_id, provider_code = _outcome(answer)
        async with self._database.transaction() as db:
            concluded = await dispatching.conclude(
                db,
                tenant_id=step.tenant_id,
                message_id=step.message_id,
                number=claimed.number,
                state=state,
                now=datetime.now(UTC),
                provider_message_id=provider_message_id,
                provider_code=provider_code,
            )
        if concluded.state is not AttemptState.ACCEPTED:
            log.warning(
                "attempt not accepted",
                extra={
                    "attempt": claimed.number,
                    "provider": claimed.provider.name,
                    "state": concluded.state,
                    "provider_code": provider_code,
                },
            )
        return self._verdict(claimed, answer, concluded)

    def _verdict(
        self, claimed: Claimed, answer: Answer, concluded: dispatching.Concluded
    ) -> DispatchResult:
        provider, number = claimed.provider.name, claimed.number
        match concluded.state:
            case AttemptState.ACCEPTED:
                return DispatchResult(
                    verdict=Verdict.ACCEPTED,
                    provider=provider,
                    attempt=number,
                    reported=concluded.reported,
                )
            case AttemptState.REFUSED if isinstance(answer, Refused):
                return self._after_refusal(claimed, answer)
            case AttemptState.NOT_PROCESSED if isinstance(answer, NotProcessed):
                return DispatchResult(
                    verdict=Verdict.LATER,
                    provider=provider,
                    attempt=number,
                    until=self._next_try(claimed, answer),
                )
            case _:
                return DispatchResult(verdict=Verdict.AMBIGUOUS, provider=provider, attempt=number)

    def _after_refusal(self, claimed: Claimed, answer: Refused) -> DispatchResult:
        """Let the next provider try, unless it would refuse as well."""
        final = answer.everywhere or self._following(claimed, AttemptState.REFUSED) is None
        return DispatchResult(
            verdict=Verdict.REFUSED if final else Verdict.LATER,
            provider=claimed.provider.name,
            attempt=claimed.number,
            error_code=answer.error_code if final else None,
        )

    def _next_try(self, claimed: Claimed, answer: NotProcessed) -> datetime | None:
        """Go on at once with a provider that was asked less often, else back off."""
        following = self._following(claimed, AttemptState.NOT_PROCESSED)
        if following is not None and following is not claimed.provider:
            return None
        growing: timedelta = _BACK_OFF_FIRST * (1 << min(claimed.number - 1, 9))
        wait = max(min(growing, _BACK_OFF_LONGEST), answer.retry_after or timedelta(0))
        return datetime.now(UTC) + wait

    def _following(self, claimed: Claimed, state: AttemptState) -> MessageProvider | None:
        past = [PastAttempt(provider=a.provider, state=a.state) for a in claimed.found.attempts]
        past.append(PastAttempt(provider=claimed.provider.name, state=state))
        return self._routes.following(claimed.found.delivery_mode, claimed.found.channel, past)


def _outcome(answer: Answer) -> tuple[AttemptState, str | None, str | None]:
    """Return the attempt's state, the provider's id and its code."""
    match answer:
        case Accepted(provider_message_id=provider_message_id):
            return AttemptState.ACCEPTED, provider_message_id, None
        case Refused(provider_code=code):
            return AttemptState.REFUSED, None, code
        case NotProcessed(provider_code=code):
            return AttemptState.NOT_PROCESSED, None, code
        case Ambiguous(provider_code=code):
            return AttemptState.AMBIGUOUS, None, code
        case _:
            assert_never(answer)


def _without_claim(decision: Decision, found: Dispatchable) -> DispatchResult:
    match decision.move:
        case Move.OVER:
            return DispatchResult(verdict=Verdict.OVER)
        case Move.REPORT:
            return DispatchResult(verdict=Verdict.ACCEPTED, reported=found.reported)
        case Move.RECONCILE:
            return DispatchResult(verdict=Verdict.AMBIGUOUS)
        case Move.WAIT:
            return DispatchResult(verdict=Verdict.LATER, until=decision.until)
        case Move.BLOCK:
            return DispatchResult(verdict=Verdict.BLOCKED, error_code=decision.error_code)
        case Move.CLAIM:
            raise AssertionError("a claim is made by the caller")
        case _:
            assert_never(decision.move)
