"""Dispatches a message to a provider: claim, call, conclude."""

import asyncio
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.messages.claimed import MARGIN, Claimed, Queued, reference_of, request_of
from activities.messages.dispatch_results import log_answer, state_of, without_claim
from activities.messages.inline_report_wait import InlineReportWait
from activities.messages.provider_slots import Slots
from activities.messages.text_parts import NeedsTextPart, TextParts, quick_text
from activities.messages.waits import note_preparation, note_wait
from models.database.transaction_limits import LockScope
from models.enums import AttemptState, ErrorCode, MessageType, SuppressionReason
from models.queries.consent.suppression import suppress
from models.queries.messages import conclude, waiting
from models.queries.messages import dispatch as dispatching
from models.queries.messages.dispatch import Dispatchable
from models.queries.messages.inline_report_wait import AwaitedAttempt
from models.queries.messages.report_intake import note_mismatch
from models.queries.senders import sender_queue
from models.queries.senders.sender_queue import Slot
from models.rules.messages.delivery_events import Mismatch
from models.rules.messages.dispatch_decision import DispatchAction, decide
from models.rules.senders import pacing
from models.rules.senders.pacing import SlotAction
from models.session import Database, WriteSession
from providers.ports.messages import (
    Accepted,
    Answer,
    MessageProvider,
    NotProcessed,
    Proof,
    Refused,
)
from providers.routing import PastAttempt, Routes
from workflows import policies
from workflows.messages.types import DispatchResult, DispatchStep, Verdict
from workflows.names import priority_of
from workflows.senders.start import start_sender_queue
from workflows.senders.types import SenderQueueStep

_SLOT_MISSED = NotProcessed(reason="its slot was missed")
"""The worker was stopped for so long that the sender's next slot is far ahead."""

_BACK_OFF_FIRST = timedelta(seconds=1)
_BACK_OFF_LONGEST = timedelta(minutes=5)


class Dispatching:
    """Performs the provider call, which cannot be undone, after its attempt is committed."""

    def __init__(
        self,
        database: Database,
        routes: Routes,
        *,
        public_url: str,
        slots: int,
        inline_report_wait: InlineReportWait,
        sweep_grace: timedelta = timedelta(minutes=1),
    ) -> None:
        self._database = database
        self._routes = routes
        self._public_url = public_url.rstrip("/")
        self._slots = Slots(slots)
        self._inline_report_wait = inline_report_wait
        self._sweep_grace = sweep_grace
        self._text_parts = TextParts(database)

    @activity.defn(name="dispatch")
    async def dispatch(self, step: DispatchStep) -> DispatchResult:
        """Dispatch the message on the fast path, or return BUSY.

        Where reports arrive fast, it waits for the report inline, so that the message ends at once.
        Safe to run twice: the second run finds the first one's attempt and returns AMBIGUOUS.
        """
        return await self._dispatch_with_text_part(step, fast=True)

    @activity.defn(name="dispatch_queued")
    async def dispatch_queued(self, step: DispatchStep) -> DispatchResult:
        """Dispatch regardless of the fast path: the provider's task queue has its own workers."""
        return await self._dispatch_with_text_part(step, fast=False)

    async def _dispatch_with_text_part(self, step: DispatchStep, *, fast: bool) -> DispatchResult:
        budget = policies.DISPATCH_BUDGET
        if not fast:
            budget = step.budget or policies.DISPATCH_QUEUED_BUDGET
        ends = time.monotonic() + budget.total_seconds()
        result = await self._claim_and_call(step, ends, fast=fast, text=None)
        if isinstance(result, DispatchResult):
            return result
        text = await self._text_parts.make(step, result)
        if isinstance(text, datetime):
            later = DispatchResult(verdict=Verdict.LATER, until=text)
            async with self._database.statement() as db:
                await note_wait(db, step, later, self._sweep_grace)
            return later
        result = await self._claim_and_call(step, ends, fast=fast, text=text)
        assert isinstance(result, DispatchResult)
        return result

    async def _claim_and_call(
        self, step: DispatchStep, ends: float, *, fast: bool, text: str | None
    ) -> DispatchResult | NeedsTextPart:
        """Claim, call and conclude; `fast` takes a slot of the fast path.

        `ends` is the end of the activity's budget, in seconds of the monotonic clock. `text` is the
        text part of an e-mail, if it was already rendered.
        """
        lock_scope = LockScope(step.tenant_id, step.merchant_id or None, "dispatch")
        with ExitStack() as call_permit:
            async with self._database.transaction(lock_scope) as db:
                claimed = await self._claim(db, step, call_permit if fast else None, text)
                if isinstance(claimed, Claimed):
                    claimed.check_time(ends)
                if isinstance(claimed, Queued):
                    await note_wait(db, step, claimed.result, self._sweep_grace)
                elif isinstance(claimed, DispatchResult):
                    await note_wait(db, step, claimed, self._sweep_grace)
                elif isinstance(claimed, NeedsTextPart):
                    await note_preparation(db, step)
            if isinstance(claimed, DispatchResult | NeedsTextPart):
                return claimed
            if isinstance(claimed, Queued):
                return await self._ensure_granting(claimed)
            if claimed.slot is not None:
                call_permit.close()  # while waiting, it must not occupy a call of the fast path
                if not await self._wait_for_slot(claimed, claimed.slot):
                    return await self._conclude(step, claimed, _SLOT_MISSED, await_report=False)
                if fast:  # the sender's slot is due now, even if the fast path is full
                    self._slots.take(claimed.provider.account, call_permit)
            answer = await claimed.provider.send(claimed.request)
        return await self._conclude(step, claimed, answer, await_report=fast)

    async def _claim(
        self, db: WriteSession, step: DispatchStep, call_permit: ExitStack | None, text: str | None
    ) -> Claimed | Queued | NeedsTextPart | DispatchResult:
        """Write the attempt as REQUESTED, or return why there is none."""
        found = await dispatching.lock_for_dispatch(
            db,
            tenant_id=step.tenant_id,
            message_id=step.message_id,
            public_id=step.public_id,
        )
        if found is None:
            return DispatchResult(verdict=Verdict.OVER)
        now = datetime.now(UTC)
        decision = decide(found.candidate, now)
        if decision.action is not DispatchAction.CLAIM:
            await sender_queue.leave(db, found.pace, message_id=step.message_id)
            if decision.held_back:
                await waiting.note_held_back(db, step.tenant_id, step.message_id, now)
            return without_claim(decision, found, self._routes.silent)
        past = [PastAttempt(account=a.account, state=a.state) for a in found.attempts]
        provider = self._routes.following(found.delivery_mode, found.channel, past)
        if provider is None:
            await sender_queue.leave(db, found.pace, message_id=step.message_id)
            refusals = [a.error_code for a in found.attempts if a.error_code is not None]
            return DispatchResult(
                verdict=Verdict.REFUSED,
                error_code=refusals[-1] if refusals else ErrorCode.NO_PROVIDER,
            )
        if text is None:
            text = quick_text(found)
        if text is None:
            return NeedsTextPart(
                merchant_id=found.merchant_id,
                urgent=found.type is MessageType.OTP,
                html=found.body,
            )
        budget = policies.slow_budget(provider.timeout)
        # In a queue another provider may be next than the one that the queue belongs to.
        slow = budget is not None and (step.budget is None or step.budget < budget)
        full = call_permit is not None and not self._slots.take(provider.account, call_permit)
        if slow or full:
            return DispatchResult(verdict=Verdict.BUSY, provider=provider.account, budget=budget)
        slot = await self._reserve_slot(db, step, found)
        if isinstance(slot, Queued | DispatchResult):
            return slot
        return await self._commit_claim(db, step, found, provider, slot, text, now)

    async def _commit_claim(
        self,
        db: WriteSession,
        step: DispatchStep,
        found: Dispatchable,
        provider: MessageProvider,
        slot: Slot | None,
        text: str,
        now: datetime,
    ) -> Claimed:
        """Write the attempt as REQUESTED; from its commit on the provider may have the message."""
        wait = timedelta(0) if slot is None else slot.wait
        number = len(found.attempts) + 1
        deadline = now + wait + provider.timeout + MARGIN
        claimed = Claimed(
            provider=provider,
            number=number,
            found=found,
            deadline=deadline,
            slot=slot,
            # Before the claim: if building the request fails, there is no attempt.
            request=request_of(
                found,
                public_url=self._public_url,
                account=provider.account,
                number=number,
                deadline=deadline,
                text=text,
            ),
        )
        await dispatching.claim(
            db,
            tenant_id=step.tenant_id,
            message_id=step.message_id,
            number=claimed.number,
            provider=provider.name,
            account=provider.account,
            now=now,
            deadline=claimed.deadline,
            grace=self._sweep_grace,
            listed=provider.proof is Proof.LISTING,
        )
        return claimed

    async def _reserve_slot(
        self, db: WriteSession, step: DispatchStep, found: Dispatchable
    ) -> Slot | Queued | DispatchResult | None:
        """Return the reserved slot of the sender, or why the message is not sent yet."""
        if found.pace is None:
            return None
        reservation = await sender_queue.reserve_slot(
            db,
            found.pace,
            message_id=step.message_id,
            merchant_id=found.merchant_id,
            type=found.type,
            priority=priority_of(found.type),
        )
        if reservation.slot is None:
            expires_at = found.candidate.expires_at
            until = pacing.recheck_at(reservation.queued_at, reservation.now, expires_at)
            return Queued(
                result=DispatchResult(verdict=Verdict.QUEUED_FOR_SENDER, until=until),
                queue=found.pace.queue,
                first=reservation.first,
            )
        if reservation.action is SlotAction.RETURN:
            until = datetime.now(UTC) + reservation.slot.wait - pacing.RETURN_LEAD
            return DispatchResult(verdict=Verdict.LATER, until=until)
        return reservation.slot

    async def _ensure_granting(self, entry: Queued) -> DispatchResult:
        """Start the queue's workflow unless it is running. On failure the activity is retried."""
        queue = entry.queue
        await start_sender_queue(
            activity.client(),
            SenderQueueStep(
                tenant_id=queue.tenant_id,
                sender_id=queue.sender_id,
                sender_public_id=queue.sender_public_id,
                channel=queue.channel,
            ),
            message_queued=entry.first,
        )
        return entry.result

    async def _wait_for_slot(self, claimed: Claimed, slot: Slot) -> bool:
        """Wait for the slot, replacing a missed one; False if the next one is too far ahead."""
        assert claimed.found.pace is not None
        while True:
            await asyncio.sleep(slot.wait.total_seconds())
            if time.monotonic() <= slot.closes:
                return True
            async with self._database.transaction() as db:
                slot = await sender_queue.reserve_next_slot(db, claimed.found.pace)
            if slot.wait > min(pacing.LATE_INLINE_WAIT, claimed.deadline - datetime.now(UTC)):
                return False

    async def _conclude(
        self, step: DispatchStep, claimed: Claimed, answer: Answer, *, await_report: bool
    ) -> DispatchResult:
        """Store the outcome of the call; on failure the attempt stays open and is reconciled."""
        accepted = answer if isinstance(answer, Accepted) else None
        refused = answer if isinstance(answer, Refused) else None
        now = datetime.now(UTC)
        awaited_inline = AwaitedAttempt(
            tenant_id=step.tenant_id,
            message_id=step.message_id,
            attempt=claimed.number,
        )
        report_timeout = (
            self._report_timeout(claimed) if await_report and accepted is not None else None
        )
        opted_out = refused is not None and refused.error_code is ErrorCode.OPTED_OUT
        async with self._database.transaction() if opted_out else self._database.statement() as db:
            concluded = await conclude.conclude(
                db,
                tenant_id=step.tenant_id,
                message_id=step.message_id,
                number=claimed.number,
                state=state_of(answer),
                now=now,
                report_wait_until=None if report_timeout is None else now + report_timeout,
                provider_message_id=None if accepted is None else accepted.provider_message_id,
                error_code=None if refused is None else refused.error_code,
                everywhere=refused is not None and refused.everywhere,
                provider_code=None if isinstance(answer, Accepted) else answer.provider_code,
            )
            if opted_out:
                await self._suppress(db, step, claimed)
        log_answer(answer, account=claimed.provider.account, attempt=claimed.number)
        taken = concluded.state is AttemptState.ACCEPTED
        if concluded.mismatch:
            reference = reference_of(claimed.found, claimed.number)
            note_mismatch(claimed.provider.account, Mismatch.MESSAGE_ID, reference)
        if report_timeout is not None and taken and not concluded.reported:
            reported = await self._inline_report_wait.await_report(
                awaited_inline, claimed.route, report_timeout
            )
            concluded = replace(concluded, reported=reported)
        return self._verdict(claimed, answer, concluded)

    def _report_timeout(self, claimed: Claimed) -> timedelta | None:
        """Return how long to wait inline for the report.

        None for several recipients, and where no report will come.
        """
        if claimed.found.details.get("to") or not claimed.provider.reports_delivery:
            return None
        return self._inline_report_wait.timeout_for(claimed.route)

    async def _suppress(self, db: WriteSession, step: DispatchStep, claimed: Claimed) -> None:
        """Store a suppression, because the carrier blocks an opted-out recipient."""
        channel = claimed.found.channel
        await suppress(
            db,
            tenant_id=step.tenant_id,
            merchant_id=claimed.found.merchant_id,
            channel=channel,
            contact_key=claimed.found.contact_key,
            contact=claimed.found.to,
            reason=SuppressionReason.CARRIER_OPT_OUT,
            source=f"{claimed.provider.name}: carrier opt-out",
            now=datetime.now(UTC),
        )

    def _verdict(
        self, claimed: Claimed, answer: Answer, concluded: conclude.Concluded
    ) -> DispatchResult:
        provider, number = claimed.provider.account, claimed.number
        match concluded.state:
            case AttemptState.ACCEPTED:
                return DispatchResult(
                    verdict=Verdict.ACCEPTED,
                    provider=provider,
                    attempt=number,
                    reported=concluded.reported or not claimed.provider.reports_delivery,
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
        """Use the next provider, unless it would refuse as well."""
        final = answer.everywhere or self._following(claimed, AttemptState.REFUSED) is None
        return DispatchResult(
            verdict=Verdict.REFUSED if final else Verdict.LATER,
            provider=claimed.provider.account,
            attempt=claimed.number,
            error_code=answer.error_code if final else None,
        )

    def _next_try(self, claimed: Claimed, answer: NotProcessed) -> datetime | None:
        """Retry at once with a provider that has fewer attempts, else back off."""
        following = self._following(claimed, AttemptState.NOT_PROCESSED)
        if following is not None and following is not claimed.provider:
            return None
        growing: timedelta = _BACK_OFF_FIRST * (1 << min(claimed.number - 1, 9))
        wait = max(min(growing, _BACK_OFF_LONGEST), answer.retry_after or timedelta(0))
        return datetime.now(UTC) + wait

    def _following(self, claimed: Claimed, state: AttemptState) -> MessageProvider | None:
        past = [PastAttempt(account=a.account, state=a.state) for a in claimed.found.attempts]
        past.append(PastAttempt(account=claimed.provider.account, state=state))
        return self._routes.following(claimed.found.delivery_mode, claimed.found.channel, past)
