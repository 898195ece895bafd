"""Dispatches a message to a provider: claim, call, conclude."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.messages import spending_guard
from activities.messages.account_choice import AccountChoice, AccountUnavailable, choose_account
from activities.messages.account_health import AccountHealth
from activities.messages.claimed import MARGIN, Claimed, Queued, reference_of, request_of
from activities.messages.dispatch_results import log_answer, state_of, without_claim
from activities.messages.inline_report_wait import InlineReportWait
from activities.messages.provider_slots import Slots
from activities.messages.sender_slots import ensure_granting, reserve_slot, wait_for_slot
from activities.messages.spending_guard import SpendingLimited
from activities.messages.text_parts import NeedsTextPart, TextParts, quick_text
from activities.messages.verdicts import verdict_of
from activities.messages.waits import note_preparation, note_wait
from models.database.transaction_limits import LockScope
from models.enums import AttemptState, ErrorCode, MessageType, SuppressionReason
from models.queries.consent.suppression import suppress
from models.queries.messages import conclude, waiting
from models.queries.messages import dispatch as dispatching
from models.queries.messages.inline_report_wait import AwaitedAttempt
from models.queries.messages.report_intake import note_mismatch
from models.queries.senders import sender_queue
from models.queries.senders.sender_queue import Slot
from models.rules.messages.delivery_events import Mismatch
from models.rules.messages.dispatch_decision import DispatchAction, decide
from models.rules.system.failures import TransientError
from models.session import Database, WriteSession
from providers.ports.messages import (
    Accepted,
    Answer,
    NotProcessed,
    Proof,
    Refused,
)
from providers.routing import Routes
from workflows import policies
from workflows.messages.types import DispatchResult, DispatchStep, Verdict

_HANDED_BACK = timedelta(seconds=1)
"""Wait of a message that an account's queue hands over to that of another account."""

_SLOT_MISSED = NotProcessed(reason="its slot was missed")
"""The worker was stopped for so long that the sender's next slot is far ahead."""


class Dispatching:
    """Performs the provider call, which cannot be undone, after its attempt is committed."""

    def __init__(
        self,
        database: Database,
        routes: Routes,
        *,
        public_url: str,
        slots: int | Slots,
        inline_report_wait: InlineReportWait,
        sweep_grace: timedelta = timedelta(minutes=1),
        health: AccountHealth | None = None,
    ) -> None:
        self._database = database
        self._routes = routes
        self._public_url = public_url.rstrip("/")
        self._slots = Slots(slots) if isinstance(slots, int) else slots
        self._inline_report_wait = inline_report_wait
        self._sweep_grace = sweep_grace
        self._health = health or AccountHealth(database, tuple)
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
        with ExitStack() as call_permit:
            claimed = await self._commit_or_explain(step, ends, call_permit, text, fast=fast)
            if isinstance(claimed, DispatchResult | NeedsTextPart):
                return claimed
            if isinstance(claimed, Queued):
                return await ensure_granting(claimed)
            if claimed.slot is not None:
                call_permit.close()  # while waiting, it must not occupy a call of the fast path
                if not await wait_for_slot(self._database, claimed, claimed.slot):
                    return await self.conclude(step, claimed, _SLOT_MISSED, await_report=False)
                if fast:  # the sender's slot is due now, even if the fast path is full
                    self._slots.take(claimed.provider.account, call_permit)
            answer = await self._health.send(
                claimed.provider, claimed.request, step.tenant_id, claimed.probe
            )
        return await self.conclude(step, claimed, answer, await_report=fast)

    async def _commit_or_explain(
        self,
        step: DispatchStep,
        ends: float,
        call_permit: ExitStack,
        text: str | None,
        *,
        fast: bool,
    ) -> Claimed | Queued | NeedsTextPart | DispatchResult:
        """Commit an attempt, or why there is none, with the first account that takes the message.

        Each account that turns out to be unavailable is left out in a new transaction.
        """
        lock_scope = LockScope(step.tenant_id, step.merchant_id or None, "dispatch")
        unavailable: dict[str, datetime] = {}
        limited: SpendingLimited | None = None
        for _ in range(len(self._routes.providers) + 1):
            try:
                async with self._database.transaction(lock_scope) as db:
                    permit = call_permit if fast else None
                    claimed = await self._claim(db, step, permit, text, unavailable)
                    await self._note(db, step, claimed, ends)
                    if limited is not None:
                        await limited.warn(db)
                return claimed
            except AccountUnavailable as reason:
                unavailable[reason.account] = reason.until
                limited = reason if isinstance(reason, SpendingLimited) else limited
                call_permit.close()
        raise TransientError("no account could be chosen")

    async def _note(
        self,
        db: WriteSession,
        step: DispatchStep,
        claimed: Claimed | Queued | NeedsTextPart | DispatchResult,
        ends: float,
    ) -> None:
        """Write when the message is looked at again; raise if no time is left for its call."""
        match claimed:
            case Claimed():
                claimed.check_time(ends)
            case Queued():
                await note_wait(db, step, claimed.result, self._sweep_grace)
            case DispatchResult():
                await note_wait(db, step, claimed, self._sweep_grace)
            case NeedsTextPart():
                await note_preparation(db, step)

    async def _claim(
        self,
        db: WriteSession,
        step: DispatchStep,
        call_permit: ExitStack | None,
        text: str | None,
        unavailable: Mapping[str, datetime],
    ) -> Claimed | Queued | NeedsTextPart | DispatchResult:
        """Write the attempt as REQUESTED, or return why there is none.

        Raises AccountUnavailable if the chosen account can't take the message now.
        """
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
        urgent = found.type is MessageType.OTP
        held = self._health.unavailable(step.tenant_id, step.message_id, urgent=urgent)
        choice = await choose_account(db, self._routes, found, {**held, **unavailable})
        if isinstance(choice, DispatchResult):
            await sender_queue.leave(db, found.pace, message_id=step.message_id)
            return choice
        provider, found = choice.provider, choice.found
        if text is None:
            text = quick_text(found)
        if text is None:
            return NeedsTextPart(
                merchant_id=found.merchant_id,
                urgent=urgent,
                html=found.body,
            )
        budget = policies.slow_budget(provider.timeout)
        # In a queue another provider may be next than the one that the queue belongs to.
        slow = budget is not None and (step.budget is None or step.budget < budget)
        full = call_permit is not None and not self._slots.take(provider.account, call_permit)
        if slow or full:
            # From a queue not at once: workers may have read different timeouts of the account.
            until = now + _HANDED_BACK if call_permit is None else None
            return DispatchResult(
                verdict=Verdict.BUSY, provider=provider.account, budget=budget, until=until
            )
        slot = await reserve_slot(db, step, found)
        if isinstance(slot, Queued | DispatchResult):
            return slot
        return await self._commit_claim(db, step, choice, slot, text, now)

    async def _commit_claim(
        self,
        db: WriteSession,
        step: DispatchStep,
        choice: AccountChoice,
        slot: Slot | None,
        text: str,
        now: datetime,
    ) -> Claimed:
        """Write the attempt as REQUESTED; from its commit on the provider may have the message."""
        provider, found = choice.provider, choice.found
        wait = timedelta(0) if slot is None else slot.wait
        number = len(found.attempts) + 1
        deadline = now + wait + provider.timeout + MARGIN
        claimed = Claimed(
            provider=provider,
            number=number,
            found=found,
            deadline=deadline,
            slot=slot,
            skipped=choice.skipped,
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
        probe = await self._health.take_probe(
            db, provider.account, step.tenant_id, deadline=deadline
        )
        await spending_guard.reserve(db, step, claimed, now)
        return claimed if probe is None else replace(claimed, probe=probe)

    async def conclude(
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
        releases = spending_guard.releases(claimed, state_of(answer))
        several = opted_out or releases
        async with self._database.transaction() if several else self._database.statement() as db:
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
            if releases:
                await spending_guard.release(db, step, claimed, concluded.state)
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
        held = self._health.unavailable(step.tenant_id, step.message_id, urgent=False)
        return verdict_of(self._routes, claimed, answer, concluded, unavailable=held)

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
