"""Reconciles lost answers: whether a provider accepted a message, and its delivery status."""

import logging
from datetime import UTC, datetime
from typing import assert_never

from temporalio import activity

from models.enums import OPEN_ATTEMPT, AttemptState
from models.queries.accounts import spending
from models.queries.messages import conclude, receipts
from models.queries.messages.equal_texts import lock_equals
from models.queries.messages.receipts import AskableAttempt, AttemptKey, NewReceipt
from models.queries.messages.report_intake import note_mismatch, take_report
from models.rules.messages.delivery_events import Mismatch, storable_id
from models.rules.messages.equal_texts import Presence, assign
from models.rules.system.failures import caused_by_input
from models.session import Database
from providers.ports.messages import (
    Found,
    Listed,
    LookUp,
    LookUpRequest,
    NotFound,
    Proof,
    Unanswered,
)
from providers.routing import Routes
from workflows.messages.types import Finding, PollResult, PollStep, ReconcileResult, ReconcileStep

log = logging.getLogger(__name__)


class Reconciliation:
    """Reads stored reports first, then asks the provider."""

    def __init__(self, database: Database, routes: Routes) -> None:
        self._database = database
        self._routes = routes

    @activity.defn(name="reconcile")
    async def reconcile(self, step: ReconcileStep) -> ReconcileResult:
        """Find out whether the provider has the message whose answer was lost.

        FOUND may be concluded at any time. ABSENT requires a look-up that began after the attempt's
        deadline and the provider's absence window, and a provider that can prove absence; what a
        list does not show is absent only for a tenant that allows it.
        Idempotent: the state of an attempt that is no longer open is returned unchanged.
        """
        attempt = await self._askable(step)
        if attempt is None:
            return ReconcileResult(finding=Finding.ABSENT)
        if attempt.state not in OPEN_ATTEMPT:
            if attempt.state is AttemptState.ACCEPTED:
                return self._found(attempt, reported=attempt.reported)
            return ReconcileResult(finding=Finding.ABSENT)
        asked_at = datetime.now(UTC)
        concluded = await self._conclude(step, attempt, AttemptState.AMBIGUOUS)
        if concluded.state is AttemptState.ACCEPTED:
            return self._found(attempt, reported=concluded.reported)
        answer = await self._ask(step, attempt)
        if isinstance(answer, Listed):
            answer = await self._resolve(answer, step, attempt)
        return await self._conclude_by(answer, step, attempt, asked_at)

    async def _conclude_by(
        self, answer: LookUp, step: ReconcileStep, attempt: AskableAttempt, asked_at: datetime
    ) -> ReconcileResult:
        """Write what the answer to a question, asked at `asked_at`, proves."""
        if isinstance(answer, Found):
            concluded = await self._conclude(
                step, attempt, AttemptState.ACCEPTED, answer.provider_message_id
            )
            if concluded.state is AttemptState.ACCEPTED:
                return self._found(attempt, reported=concluded.reported)
        if isinstance(answer, NotFound) and self._absence_is_sure(attempt, asked_at):
            concluded = await self._conclude(step, attempt, AttemptState.ABSENT)
            if concluded.state is AttemptState.ABSENT:
                return ReconcileResult(finding=Finding.ABSENT)
            if concluded.state is AttemptState.ACCEPTED:
                return self._found(attempt, reported=concluded.reported)
        return ReconcileResult(finding=Finding.UNCERTAIN)

    @activity.defn(name="poll")
    async def poll(self, step: PollStep) -> PollResult:
        """Ask for the delivery status of an accepted message, and store the reports.

        Idempotent: a report is stored once by the provider's event id.
        """
        attempt = await self._askable(step)
        if attempt is None:
            return PollResult(reported=False)
        if not attempt.reported:
            await self._ask(step, attempt)
            attempt = await self._askable(step)
        return PollResult(reported=attempt is not None and attempt.reported)

    async def ask_price(self, tenant_id: int, message_id: int) -> bool:
        """Ask about an accepted message whose price is awaited, and store the reports.

        Returns False if the provider did not answer.
        """
        step = PollStep(tenant_id=tenant_id, message_id=message_id)
        attempt = await self._askable(step)
        if attempt is None or attempt.state is not AttemptState.ACCEPTED:
            return True
        return not isinstance(await self._ask(step, attempt), Unanswered)

    async def _askable(self, step: ReconcileStep | PollStep) -> AskableAttempt | None:
        async with self._database.read() as db:
            return await receipts.find_askable(
                db,
                tenant_id=step.tenant_id,
                message_id=step.message_id,
                public_id=step.public_id,
            )

    def _found(self, attempt: AskableAttempt, *, reported: bool) -> ReconcileResult:
        """Return that the provider has the message; no report of a silent account is awaited."""
        unreported = attempt.account in self._routes.silent
        return ReconcileResult(finding=Finding.FOUND, reported=reported or unreported)

    def _absence_is_sure(self, attempt: AskableAttempt, asked_at: datetime) -> bool:
        provider = self._routes.find(attempt.account)
        if provider is None or provider.proof is Proof.NONE:
            return False
        if provider.proof is Proof.LISTING and not attempt.resend_after_window:
            return False
        return asked_at >= attempt.deadline + provider.absence_window

    async def _ask(self, step: ReconcileStep | PollStep, attempt: AskableAttempt) -> LookUp:
        """Ask the provider, and store every report that it returns."""
        provider = self._routes.find(attempt.account)
        if provider is None:  # it is not configured any more, but messages are still open
            answer: LookUp = Unanswered(reason="no such provider any more")
        else:
            answer = await provider.look_up(_look_up_request(attempt))
        if isinstance(answer, Unanswered):
            log.warning(
                "provider look-up failed",
                extra={"account": attempt.account, "reason": answer.reason},
            )
        if isinstance(answer, Found):
            await self._store_reports(answer, step, attempt)
        return answer

    async def _resolve(
        self, listed: Listed, step: ReconcileStep, attempt: AskableAttempt
    ) -> Found | NotFound | Unanswered:
        """Return what a list says about one of several equal attempts.

        A message that proves the attempt is assigned to it under the lock of equal attempts. The
        list may be older than what the lock shows: messages are only ever added to it, so it proves
        too little rather than too much.
        """
        key = _key(step, attempt)
        candidates = {found.provider_message_id: found for found in listed.candidates}
        if any(storable_id(id) is None for id in candidates):
            return Unanswered(reason="an id in the list cannot be stored")
        async with self._database.transaction() as db:
            equals = await lock_equals(db, key)
            assigned = assign(
                list(candidates), (key.tenant_id, step.message_id, key.number), equals
            )
            if assigned.presence is Presence.PROVEN:
                await conclude.conclude(
                    db,
                    tenant_id=key.tenant_id,
                    message_id=step.message_id,
                    number=key.number,
                    state=AttemptState.ACCEPTED,
                    now=datetime.now(UTC),
                    provider_message_id=assigned.provider_message_id,
                )
        match assigned.presence:
            case Presence.PROVEN:
                id = assigned.provider_message_id or ""
                found = candidates.get(id, Found(provider_message_id=id))
                await self._store_reports(found, step, attempt)
                return found
            case Presence.NOT_LISTED:
                return NotFound()
            case Presence.UNCLEAR:
                return Unanswered(reason="equal messages cannot be told apart")
            case unexpected:
                assert_never(unexpected)

    async def _store_reports(
        self, found: Found, step: ReconcileStep | PollStep, attempt: AskableAttempt
    ) -> None:
        key = _key(step, attempt)
        for report in found.reports:
            await self._store(NewReceipt.about(key, attempt.account, report))

    async def _store(self, receipt: NewReceipt) -> None:
        """Store a report; one that cannot be stored must not block the others or the message."""
        try:
            # One transaction each: one that suppresses must hold no lock of another report.
            await take_report(self._database, receipt, datetime.now(UTC))
        except Exception as error:
            if not caused_by_input(error):
                raise
            log.error(
                "a report cannot be stored", extra={"account": receipt.account}, exc_info=error
            )

    async def _conclude(
        self,
        step: ReconcileStep,
        attempt: AskableAttempt,
        state: AttemptState,
        provider_message_id: str | None = None,
    ) -> conclude.Concluded:
        async with self._database.transaction() as db:
            concluded = await conclude.conclude(
                db,
                tenant_id=step.tenant_id,
                message_id=step.message_id,
                number=attempt.number,
                state=state,
                now=datetime.now(UTC),
                provider_message_id=provider_message_id,
            )
            if concluded.state in spending.RELEASED:
                await spending.release(
                    db,
                    tenant_id=step.tenant_id,
                    message_id=step.message_id,
                    number=attempt.number,
                )
        if concluded.mismatch:
            note_mismatch(attempt.account, Mismatch.MESSAGE_ID, attempt.reference)
        return concluded


def _key(step: ReconcileStep | PollStep, attempt: AskableAttempt) -> AttemptKey:
    return AttemptKey(
        tenant_id=step.tenant_id,
        message_id=step.message_id,
        public_id=attempt.reference.message,
        number=attempt.number,
    )


def _look_up_request(attempt: AskableAttempt) -> LookUpRequest:
    return LookUpRequest(
        reference=str(attempt.reference),
        provider_message_id=attempt.provider_message_id,
        channel=attempt.channel,
        to=attempt.to,
        sender=attempt.sender,
        text=attempt.body,
        requested_at=attempt.requested_at,
        deadline=attempt.deadline,
    )
