"""10DLC operations: claim, call, conclude, as with messages; then poll for the decision."""

import logging
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from models.database.transaction_limits import LockScope
from models.queries.registration import registrations
from models.queries.registration.registrations import Row
from models.rules.registration.lifecycle import RegistrationAction, next_registration_action
from models.rules.registration.vocabulary import RegistrationState
from models.session import Database, WriteSession
from models.tables.messaging import Campaign
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered
from providers.ports.registration import (
    LookUpAnswer,
    MoreCallsNeeded,
    OperationStatus,
    Registry,
    RegistryRequest,
    SubmitAnswer,
)
from providers.registration_requests import registry_request
from providers.registries import Registries
from workflows.heartbeat import heartbeats
from workflows.registration.types import RegistrationResult, RegistrationStep

log = logging.getLogger(__name__)

_MARGIN: Final = timedelta(seconds=1)
"""Between the HTTP budget and the deadline: claims are committed a little before the call."""

_NO_REGISTRY: Final = timedelta(minutes=5)
"""Wait before a retry when the row's registry is not configured any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A call to be made and a snapshot of its row; it is concluded only if the row is unchanged."""

    registry: Registry
    request: RegistryRequest
    deadline: datetime | None
    snapshot: registrations.Snapshot


class Registering:
    """Performs the registry calls for brands, campaigns and numbers, which cannot be undone."""

    def __init__(
        self,
        database: Database,
        registries: Registries,
        *,
        public_url: str,
        look_after: timedelta,
        lost_after: timedelta,
    ) -> None:
        self._database = database
        self._registries = registries
        self._public_url = public_url.rstrip("/")
        self._look_after = look_after
        self._lost_after = lost_after

    @activity.defn(name="submit_registration")
    async def submit(self, step: RegistrationStep) -> RegistrationResult:
        """Make the next call of an operation, once its deadline is committed.

        Safe to run twice: the second run finds the first one's deadline and returns RECONCILE.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            row = await self._lock(db, step)
            now = datetime.now(UTC)
            if row is None or _next_action(row, step) is not RegistrationAction.SUBMIT:
                return _result(row, step)
            registry = self._registries.find(row.account)
            if registry is None:
                log.error("the registry is not configured", extra={"account": row.account})
                return _result(row, step, until=now + _NO_REGISTRY)
            row.deadline = now + registry.timeout + _MARGIN
            call = await self._call(db, row, step, registry, row.deadline)
        answer = await call.registry.submit(call.request)
        _log(step, answer)
        return await self._conclude(step, call, answer)

    @activity.defn(name="reconcile_registration")
    async def reconcile(self, step: RegistrationStep) -> RegistrationResult:
        """Find out whether the call without an outcome was made; allow a retry only if it was not.

        It may take minutes: some vendors show new objects only in a list of everything. Idempotent:
        a concluded call is not looked up again.
        """
        async with heartbeats():
            return await self._look_up(step, RegistrationAction.RECONCILE)

    @activity.defn(name="ask_registration")
    async def ask(self, step: RegistrationStep) -> RegistrationResult:
        """Poll the registry for its decision, and store it.

        Idempotent: a decision about an operation that the row no longer has, or that another
        activity advanced in the meantime, changes nothing.
        """
        return await self._look_up(step, RegistrationAction.ASK)

    async def _look_up(
        self, step: RegistrationStep, wanted: RegistrationAction
    ) -> RegistrationResult:
        asked_at = datetime.now(UTC)
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            row = await self._lock(db, step)
            registry = None if row is None else self._registries.find(row.account)
            if row is None or registry is None or _next_action(row, step) is not wanted:
                return _result(row, step)
            call = await self._call(db, row, step, registry, row.deadline)
        request = replace(call.request, not_after=asked_at + registry.timeout)
        answer = await registry.look_up(request)
        _log(step, answer)
        if isinstance(answer, NotFound) and not _proves_absence(call, asked_at):
            answer = Unanswered(reason="too early to prove that it is absent")
        return await self._conclude(step, call, answer)

    async def _lock(self, db: WriteSession, step: RegistrationStep) -> Row | None:
        return await registrations.lock_row(
            db,
            kind=step.kind,
            tenant_id=step.tenant_id,
            row_id=step.row_id,
            public_id=step.public_id,
        )

    async def _call(
        self,
        db: WriteSession,
        row: Row,
        step: RegistrationStep,
        registry: Registry,
        deadline: datetime | None,
    ) -> _Call:
        reference = str(await registrations.get_reference(db, row))
        request = registry_request(
            step.registry_operation,
            await registrations.find_facts(db, row),
            reference=reference,
            callback_url=f"{self._public_url}/webhooks/{registry.account}/registrations/{reference}",
            not_after=deadline or datetime.now(UTC),
        )
        return _Call(
            registry=registry,
            request=request,
            deadline=deadline,
            snapshot=registrations.snapshot(row),
        )

    async def _conclude(
        self, step: RegistrationStep, call: _Call, answer: SubmitAnswer | LookUpAnswer
    ) -> RegistrationResult:
        """Store the outcome of a call, unless the row changed meanwhile.

        If this fails, the call stays open and is reconciled.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            row = await self._lock(db, step)
            now = datetime.now(UTC)
            if row is None or registrations.snapshot(row) != call.snapshot:
                return _result(row, step)
            until = await self._write(db, row, answer, now)
            return _result(row, step, until=until)

    async def _write(
        self, db: WriteSession, row: Row, answer: SubmitAnswer | LookUpAnswer, now: datetime
    ) -> datetime | None:
        """Write an answer into the locked row; return when to retry, if nothing was processed."""
        match answer:
            case OperationStatus():
                _store_status(row, answer, now)
                await registrations.conclude(
                    db,
                    row,
                    answer.status,
                    reasons=[asdict(reason) for reason in answer.reasons],
                    now=now,
                    look_after=self._look_after,
                )
            case MoreCallsNeeded() if row.state == RegistrationState.APPROVED:
                log.error(
                    "a review found an incomplete registration; nothing is submitted",
                    extra={"account": row.account, "row": row.public_id},
                )
            case MoreCallsNeeded():
                row.vendor_state = dict(answer.vendor_state)
                # The next call is needed, even if the operation was already being polled.
                row.deadline = row.taken_at = row.lost_at = None
            case NotProcessed():
                row.deadline = None
                return now + (answer.retry_after or timedelta(0))
            case NotFound() if row.taken_at is not None:
                await self._write_lost(db, row, now)
            case NotFound():
                row.deadline = None
            case Ambiguous() | Unanswered():
                pass
        return None

    async def _write_lost(self, db: WriteSession, row: Row, now: datetime) -> None:
        """Mark an operation that the registry no longer finds; after `lost_after` it is rejected.

        It is not submitted again automatically: what the registry cannot find may still cost money.
        """
        row.lost_at = row.lost_at or now
        if now - row.lost_at < self._lost_after:
            return
        reference = await registrations.get_reference(db, row)
        log.error(
            "the registry no longer knows an accepted operation",
            extra={"reference": str(reference), "account": row.account},
        )
        await registrations.give_up(db, row, now=now, look_after=self._look_after)


def _next_action(row: Row, step: RegistrationStep) -> RegistrationAction:
    return next_registration_action(
        wanted=step.registry_operation,
        current=registrations.registry_operation_of(row),
        deadline=row.deadline,
        taken=row.taken_at is not None,
        approved=row.state == RegistrationState.APPROVED,
    )


def _result(
    row: Row | None, step: RegistrationStep, until: datetime | None = None
) -> RegistrationResult:
    """Return the next action of a row; OVER if the row is gone."""
    if row is None:
        return RegistrationResult(action=RegistrationAction.OVER, state="")
    action = _next_action(row, step)
    return RegistrationResult(
        action=action,
        state=registrations.state_of(row, step.registry_operation),
        until=until if action is RegistrationAction.SUBMIT else None,
    )


def _store_status(row: Row, answer: OperationStatus, now: datetime) -> None:
    """Store the registry's status in the row; from then on the registry has the operation."""
    row.vendor_id = answer.vendor_id or row.vendor_id
    if answer.vendor_state is not None:
        row.vendor_state = dict(answer.vendor_state)
    if isinstance(row, Campaign) and answer.segments_per_second is not None:
        row.segments_per_second = answer.segments_per_second
    row.deadline = row.lost_at = None
    row.taken_at = row.taken_at or now


def _proves_absence(call: _Call, asked_at: datetime) -> bool:
    """Return whether "not found" from a look-up that began at `asked_at` may be stored.

    For a call without an outcome it must begin after the deadline and the absence window. For an
    accepted operation it only marks the row as lost.
    """
    return call.deadline is None or asked_at >= call.deadline + call.registry.absence_window


def _log(step: RegistrationStep, answer: SubmitAnswer | LookUpAnswer) -> None:
    facts = {
        "operation": step.registry_operation,
        "tenant_id": step.tenant_id,
        f"{step.kind}_id": step.public_id,
    }
    match answer:
        case OperationStatus() | MoreCallsNeeded() | NotFound():
            log.info("registry answered", extra={**facts, "answer": type(answer).__name__})
        case NotProcessed() | Ambiguous() | Unanswered():
            log.warning(
                "registry gave no answer",
                extra={**facts, "answer": type(answer).__name__, "reason": answer.reason},
            )
