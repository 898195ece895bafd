"""Finds brands, campaigns and numbers that may have no running workflow, or are due for review."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from models.queries.registration.registrations import assignment_of
from models.rules.registration.lifecycle import operation_of_number, operation_of_registration
from models.rules.registration.vocabulary import (
    NumberState,
    RegistrationKind,
    RegistrationOperation,
    RegistrationState,
)
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class StalledRegistration:
    """A row whose operation is due for sweeping."""

    tenant_id: int
    kind: RegistrationKind
    row_id: int
    public_id: int
    registry_operation: RegistrationOperation
    merchant: str


# An approved row that is due is reviewed: the registry is asked whether the approval still holds.
_REVIEW: Final = """,
           review_since = CASE WHEN r.state = 'APPROVED' THEN COALESCE(r.review_since, :now) END,
           taken_at = CASE WHEN r.state = 'APPROVED' THEN COALESCE(r.taken_at, :now)
                           ELSE r.taken_at END"""

# The interval grows with the time since the operation's last change, as for messages.
_SWEEP: Final = """
    WITH stalled AS (
        SELECT tenant_id, id FROM {table}
         WHERE sweep_at <= :now ORDER BY sweep_at LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE {table} r
       SET sweep_at = :now + LEAST(GREATEST(CAST(:grace AS interval), (:now - r.updated_at) / 2),
                                   CAST(:longest AS interval)){review}
      FROM stalled, merchant
     WHERE r.tenant_id = stalled.tenant_id AND r.id = stalled.id
       AND merchant.tenant_id = r.tenant_id AND merchant.id = r.merchant_id
    RETURNING r.tenant_id, r.id, r.public_id, merchant.external_id AS merchant, r.state,
              {assignment} AS assignment
    """
_SWEEPS: Final = {
    RegistrationKind.BRAND: text(_SWEEP.format(table="brand", assignment="NULL", review=_REVIEW)),
    RegistrationKind.CAMPAIGN: text(
        _SWEEP.format(table="campaign", assignment="NULL", review=_REVIEW)
    ),
    RegistrationKind.NUMBER: text(
        _SWEEP.format(table="messaging_number", assignment="r.assignment", review="")
    ),
}


async def take_stalled(
    db: WriteSession,
    *,
    kind: RegistrationKind,
    now: datetime,
    grace: timedelta,
    longest: timedelta,
    most: int,
) -> Sequence[StalledRegistration]:
    """Return rows of all tenants that are due for sweeping, and schedule their next sweep."""
    rows = await db.execute(
        _SWEEPS[kind], {"now": now, "grace": grace, "longest": longest, "most": most}
    )
    found = []
    for row in rows:
        registry_operation = (
            operation_of_number(NumberState(row.state), assignment_of(row.assignment))
            if kind is RegistrationKind.NUMBER
            else operation_of_registration(kind, RegistrationState(row.state), reviewed=True)
        )
        if registry_operation is not None:
            found.append(
                StalledRegistration(
                    tenant_id=row.tenant_id,
                    kind=kind,
                    row_id=row.id,
                    public_id=row.public_id,
                    registry_operation=registry_operation,
                    merchant=row.merchant,
                )
            )
    return found
