"""State changes of brands, campaigns and numbers, each under its row lock."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import select
from sqlmodel import col

from models.enums import AlertSeverity, AlertType, Channel
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.senders import number_claims
from models.queries.senders.campaign_numbers import (
    lock_assigned_numbers,
    resume_numbers,
    stop_numbers,
)
from models.queries.senders.senders import pace_by_campaign
from models.rules.registration.lifecycle import (
    NUMBER_ENDS,
    REGISTRATION_ENDS,
    REVIEW_EVERY,
    RegistrationReference,
    may_assign,
    may_step,
    may_step_number,
    operation_of_number,
    operation_of_registration,
)
from models.rules.registration.profiles import RegistryRequestFacts
from models.rules.registration.vocabulary import (
    AssignmentState,
    NumberState,
    NumberType,
    RegistrationKind,
    RegistrationOperation,
    RegistrationState,
    RegistryStatus,
)
from models.session import ReadSession, WriteSession
from models.tables.messaging import Brand, Campaign, MessagingNumber
from models.tables.tenant import Tenant

Row: TypeAlias = Brand | Campaign | MessagingNumber

_TABLES: Final[dict[RegistrationKind, type[Row]]] = {
    RegistrationKind.BRAND: Brand,
    RegistrationKind.CAMPAIGN: Campaign,
    RegistrationKind.NUMBER: MessagingNumber,
}


def kind_of(row: Row) -> RegistrationKind:
    """Return the kind of a row."""
    match row:
        case Brand():
            return RegistrationKind.BRAND
        case Campaign():
            return RegistrationKind.CAMPAIGN
        case MessagingNumber():
            return RegistrationKind.NUMBER


def registry_operation_of(row: Row) -> RegistrationOperation | None:
    """Return the operation that follows from a row's state; None if there is none."""
    if isinstance(row, MessagingNumber):
        return operation_of_number(NumberState(row.state), assignment_of(row.assignment))
    return operation_of_registration(
        kind_of(row), RegistrationState(row.state), reviewed=row.review_since is not None
    )


async def get_reference(db: WriteSession, row: Row) -> RegistrationReference:
    """Return the reference under which the registry knows the row's operation."""
    tenant = await db.get_one(Tenant, row.tenant_id)
    return RegistrationReference(
        kind=kind_of(row),
        tenant=tenant.public_id,
        row=row.public_id,
        submission=row.submission,
    )


async def find_named(db: ReadSession, reference: RegistrationReference) -> Row | None:
    """Return the row that a reference names, whatever its submission; None if there is none."""
    table = _TABLES[reference.kind]
    statement = (
        select(table)
        .join(Tenant, col(Tenant.id) == col(table.tenant_id))
        .where(col(Tenant.public_id) == reference.tenant, col(table.public_id) == reference.row)
    )
    return cast(Row | None, (await db.scalars(statement)).one_or_none())


async def lock_row(
    db: WriteSession, *, kind: RegistrationKind, tenant_id: int, row_id: int, public_id: int = 0
) -> Row | None:
    """Lock and return a row; None if there is none.

    If `public_id` is given, a row with another one counts as missing: the calling workflow was
    started for another database.
    """
    table = _TABLES[kind]
    statement = select(table).where(col(table.tenant_id) == tenant_id, col(table.id) == row_id)
    if public_id:
        statement = statement.where(col(table.public_id) == public_id)
    return cast(Row | None, (await db.scalars(statement.with_for_update())).one_or_none())


Snapshot: TypeAlias = tuple[object, ...]
"""State of a row before a call; if it differs afterwards, the row was changed meanwhile."""


def snapshot(row: Row) -> Snapshot:
    """Return everything that a call's outcome depends on or may change."""
    return (
        registry_operation_of(row),
        row.submission,
        row.deadline,
        row.taken_at,
        row.lost_at,
        row.vendor_id,
        deepcopy(row.vendor_state),
    )


def state_of(row: Row, registry_operation: RegistrationOperation) -> str:
    """Return the state an operation changes: the row's, or that of the number's assignment."""
    if isinstance(row, MessagingNumber) and registry_operation is RegistrationOperation.ASSIGN:
        return row.assignment or ""
    return row.state


async def find_facts(db: WriteSession, row: Row) -> RegistryRequestFacts:
    """Return the data for the request of a row's operation, including its parent's."""
    parent: Brand | Campaign | None = None
    if isinstance(row, Campaign):
        parent = await db.get_one(Brand, (row.tenant_id, row.brand_id))
    elif isinstance(row, MessagingNumber) and row.campaign_id is not None:
        parent = await db.get_one(Campaign, (row.tenant_id, row.campaign_id))
    number = row if isinstance(row, MessagingNumber) else None
    return RegistryRequestFacts(
        vendor_id=row.vendor_id,
        vendor_state=row.vendor_state,
        taken=row.taken_at is not None,
        profile=None if isinstance(row, MessagingNumber) else row.profile,
        number=None if number is None else number.number,
        type=None if number is None else NumberType(number.type),
        parent_vendor_id=None if parent is None else parent.vendor_id,
        parent_vendor_state={} if parent is None else parent.vendor_state,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """The new states of a row; None keeps the current one."""

    state: RegistrationState | NumberState | None = None
    assignment: AssignmentState | None = None


def change_state(row: Row, change: StateChange, *, now: datetime, look_after: timedelta) -> bool:
    """Change the states of a locked row if the rules allow all of them; return whether they did.

    The only place that changes states. A new operation gets its own reference and is swept after
    `look_after`. A row without an operation is not swept, except that an approved brand or campaign
    is reviewed after `REVIEW_EVERY`.
    """
    if not _allowed(row, change):
        return False
    before = registry_operation_of(row)
    if change.state is not None:
        row.state = change.state
        if not isinstance(row, MessagingNumber):
            row.review_since = None
    if change.assignment is not None and isinstance(row, MessagingNumber):
        row.assignment = change.assignment
    registry_operation = registry_operation_of(row)
    row.updated_at = now
    if registry_operation is not None and registry_operation is not before:
        row.submission += 1
        row.reasons = []
    if registry_operation is not before:
        row.deadline = row.taken_at = row.lost_at = None
        row.sweep_at = now + look_after
    if registry_operation is None:
        approved = row.state == RegistrationState.APPROVED
        row.sweep_at = now + REVIEW_EVERY if approved else None
    return True


def _allowed(row: Row, change: StateChange) -> bool:
    if change.state is None and change.assignment is None:
        return False
    if isinstance(row, MessagingNumber):
        state, assignment = NumberState(row.state), assignment_of(row.assignment)
        return (
            change.state is None
            or (
                isinstance(change.state, NumberState)
                and may_step_number(state, assignment, change.state)
            )
        ) and (change.assignment is None or may_assign(assignment, state, change.assignment))
    return (
        change.assignment is None
        and isinstance(change.state, RegistrationState)
        and may_step(RegistrationState(row.state), change.state)
    )


async def conclude(
    db: WriteSession,
    row: Row,
    status: RegistryStatus,
    *,
    reasons: Sequence[dict[str, Any]],
    now: datetime,
    look_after: timedelta,
) -> bool:
    """Store the registry's decision about a locked row's operation; return whether it changed.

    A decision about an operation that the row no longer has changes nothing. Alerts are locked
    last.
    """
    registry_operation = registry_operation_of(row)
    if registry_operation is None or status is RegistryStatus.PENDING:
        return False
    if isinstance(row, MessagingNumber):
        moved = await _conclude_number(db, row, registry_operation, status, now, look_after)
    elif row.state == RegistrationState.APPROVED and status is RegistryStatus.DONE:
        _end_review(row, now)
        return False
    else:
        moved = await _conclude_registration(db, row, status, now, look_after)
    if moved:
        row.reasons = [] if status is RegistryStatus.DONE else list(reasons)
        await db.flush()
        await _update_alert(db, row, registry_operation, status, now)
    return moved


async def _conclude_registration(
    db: WriteSession,
    row: Brand | Campaign,
    status: RegistryStatus,
    now: datetime,
    look_after: timedelta,
) -> bool:
    """Approve or reject a brand or campaign, and resume or stop its assigned numbers."""
    ended = StateChange(state=REGISTRATION_ENDS[status])
    if not change_state(row, ended, now=now, look_after=look_after):
        return False
    row.decided_at = now
    if isinstance(row, Campaign) and status is RegistryStatus.DONE:
        row.approved_profile = deepcopy(row.profile)
    await db.flush()
    if status is RegistryStatus.DONE:
        await resume_numbers(db, row, now=now)
    else:
        await stop_numbers(db, row)
    return True


def _end_review(row: Brand | Campaign, now: datetime) -> None:
    """End a review that confirmed the approval; the next one is due after `REVIEW_EVERY`."""
    row.review_since = row.deadline = row.taken_at = row.lost_at = None
    row.sweep_at = now + REVIEW_EVERY


_UNKNOWN: Final = {
    "code": "UNKNOWN_AT_REGISTRY",
    "field": None,
    "message": "The registry had accepted it and does not find it any more.",
}

_CAMPAIGN_UNKNOWN: Final = {
    **_UNKNOWN,
    "message": "The registry does not find its campaign any more: assign it to an approved one.",
}


async def give_up(db: WriteSession, row: Row, *, now: datetime, look_after: timedelta) -> bool:
    """Reject a locked row's operation that the registry lost; return whether the row changed.

    A brand or campaign can be corrected and is then submitted as a new one, because the registry
    has nothing to amend. Its numbers must be assigned again: the new one does not have them.
    """
    if not isinstance(row, MessagingNumber):
        row.vendor_id, row.vendor_state = None, {}
        await stop_numbers(db, row)
        failed = StateChange(assignment=AssignmentState.FAILED)
        for number in await lock_assigned_numbers(db, row):
            change_state(number, failed, now=now, look_after=look_after)
            number.reasons = [_CAMPAIGN_UNKNOWN]
    return await conclude(
        db, row, RegistryStatus.REJECTED, reasons=[_UNKNOWN], now=now, look_after=look_after
    )


async def _conclude_number(
    db: WriteSession,
    row: MessagingNumber,
    registry_operation: RegistrationOperation,
    status: RegistryStatus,
    now: datetime,
    look_after: timedelta,
) -> bool:
    end = NUMBER_ENDS[registry_operation, status]
    ended = StateChange(state=end.state, assignment=end.assignment)
    if not change_state(row, ended, now=now, look_after=look_after):
        return False
    if end.then is not None:
        change_state(row, StateChange(state=end.then), now=now, look_after=look_after)
    match registry_operation, status:
        case RegistrationOperation.BUY, RegistryStatus.DONE:
            row.bought_at = now
            await number_claims.add_sender(db, row, now=now)
        case RegistrationOperation.BUY, RegistryStatus.REJECTED:
            await number_claims.remove_sender(db, row, claimed=True)
        case RegistrationOperation.ASSIGN, RegistryStatus.DONE:
            row.assigned_at = now
            await pace_by_campaign(db, row, now=now)
        case RegistrationOperation.RELEASE, RegistryStatus.DONE:
            row.released_at = now
            await number_claims.remove_sender(db, row)
    return True


_SUBJECTS: Final = {
    RegistrationOperation.REGISTER_BRAND: "The brand",
    RegistrationOperation.REGISTER_CAMPAIGN: "Campaign {id}",
    RegistrationOperation.ASSIGN: "The assignment of number {id}",
}
"""Subjects of compliance alerts; a failed purchase of a number raises none."""


async def _update_alert(
    db: WriteSession,
    row: Row,
    registry_operation: RegistrationOperation,
    status: RegistryStatus,
    now: datetime,
) -> None:
    """Raise an alert on a rejection; resolve it on an approval or a release of the number."""
    subject = f"{kind_of(row)}-{row.public_id}"
    if status is RegistryStatus.DONE:
        await resolve_alerts(
            db,
            tenant_id=row.tenant_id,
            type=AlertType.COMPLIANCE_REJECTED,
            now=now,
            merchant_id=row.merchant_id,
            channel=Channel.SMS,
            subject=subject,
        )
        return
    named = _SUBJECTS.get(registry_operation)
    if named is None:
        return
    codes = ", ".join(sorted({str(reason["code"]) for reason in row.reasons})) or "no reason given"
    await raise_alert(
        db,
        tenant_id=row.tenant_id,
        type=AlertType.COMPLIANCE_REJECTED,
        severity=AlertSeverity.CRITICAL,
        message=f"{named.format(id=row.public_id)} was rejected: {codes}."[:500],
        now=now,
        merchant_id=row.merchant_id,
        channel=Channel.SMS,
        subject=subject,
    )


def assignment_of(word: str | None) -> AssignmentState | None:
    """Return a stored assignment as an enum."""
    return None if word is None else AssignmentState(word)
