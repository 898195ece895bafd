"""State machines of brands, campaigns, numbers and assignments.

A row has at most one operation at the registry, which follows from its state. The next action
follows from the row alone, so another worker can continue after a crash.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from models.rules.registration.vocabulary import AssignmentState as A
from models.rules.registration.vocabulary import NumberState as N
from models.rules.registration.vocabulary import (
    RegistrationKind,
    RegistrationOperation,
    RegistryStatus,
)
from models.rules.registration.vocabulary import RegistrationState as R

REGISTRATION_STEPS: Final[Mapping[R, frozenset[R]]] = {
    R.DRAFT: frozenset({R.PENDING}),
    R.PENDING: frozenset({R.APPROVED, R.REJECTED}),
    R.REJECTED: frozenset({R.DRAFT, R.PENDING}),
    R.APPROVED: frozenset({R.REJECTED}),
}
"""Steps of a brand or a campaign. The registry may withdraw an approval: suspended, expired."""

REVIEW_EVERY: Final = timedelta(hours=24)
"""How often the registry is asked whether an approval still holds."""

NUMBER_STEPS: Final[Mapping[N, frozenset[N]]] = {
    N.REQUESTED: frozenset({N.ACTIVE, N.FAILED}),
    N.ACTIVE: frozenset({N.RELEASING}),
    N.RELEASING: frozenset({N.RELEASED, N.RELEASE_FAILED}),
    N.RELEASE_FAILED: frozenset({N.RELEASING}),
    N.FAILED: frozenset(),
    N.RELEASED: frozenset(),
}

ASSIGNMENT_STEPS: Final[Mapping[A | None, frozenset[A]]] = {
    None: frozenset({A.PENDING}),
    A.PENDING: frozenset({A.ASSIGNED, A.FAILED}),
    A.FAILED: frozenset({A.PENDING}),
    A.ASSIGNED: frozenset({A.UNASSIGNING, A.FAILED}),
    A.UNASSIGNING: frozenset({A.UNASSIGNED, A.UNASSIGN_FAILED}),
    A.UNASSIGN_FAILED: frozenset({A.UNASSIGNING}),
    A.UNASSIGNED: frozenset(),
}
"""None: not assigned to a campaign yet. ASSIGNED to FAILED: the registry lost the campaign."""

STARTS: Final = frozenset({R.DRAFT, N.REQUESTED})
"""Initial states of a brand or campaign, and of a number."""

EDITABLE: Final = frozenset({R.DRAFT, R.REJECTED})
"""States in which the merchant may change a brand or campaign."""

HELD: Final = frozenset({A.PENDING, A.ASSIGNED, A.UNASSIGNING, A.UNASSIGN_FAILED})
"""A campaign has the number, or may have it: the number must be unassigned before its release."""


def may_step(current: R, following: R) -> bool:
    """Return whether a brand or campaign may change from one state to the other."""
    return following in REGISTRATION_STEPS[current]


def may_step_number(current: N, assignment: A | None, following: N) -> bool:
    """Return whether a number with this assignment may change from one state to the other."""
    if following is N.RELEASING and assignment in HELD:
        return False
    return following in NUMBER_STEPS[current]


def may_assign(current: A | None, state: N, following: A) -> bool:
    """Return whether an assignment of an ACTIVE number may change from one state to the other."""
    return state is N.ACTIVE and following in ASSIGNMENT_STEPS[current]


def operation_of_registration(
    kind: RegistrationKind, state: R, *, reviewed: bool = False
) -> RegistrationOperation | None:
    """Return the operation of a brand or campaign in this state; None if it has none.

    An approved one is `reviewed` while the registry is asked whether the approval still holds.
    """
    if state is not R.PENDING and not (state is R.APPROVED and reviewed):
        return None
    brand = kind is RegistrationKind.BRAND
    return (
        RegistrationOperation.REGISTER_BRAND if brand else RegistrationOperation.REGISTER_CAMPAIGN
    )


def operation_of_number(state: N, assignment: A | None) -> RegistrationOperation | None:
    """Return the operation of a number in this state; None if it has none."""
    match state:
        case N.REQUESTED:
            return RegistrationOperation.BUY
        case N.RELEASING:
            return RegistrationOperation.RELEASE
        case N.ACTIVE if assignment is A.PENDING:
            return RegistrationOperation.ASSIGN
        case N.ACTIVE if assignment is A.UNASSIGNING:
            return RegistrationOperation.UNASSIGN
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberEnd:
    """States after a number's operation; None keeps the current one."""

    state: N | None = None
    assignment: A | None = None
    then: N | None = None
    """State that starts the next operation, written in the same transaction."""


REGISTRATION_ENDS: Final[Mapping[RegistryStatus, R]] = {
    RegistryStatus.DONE: R.APPROVED,
    RegistryStatus.REJECTED: R.REJECTED,
}

NUMBER_ENDS: Final[Mapping[tuple[RegistrationOperation, RegistryStatus], NumberEnd]] = {
    (RegistrationOperation.BUY, RegistryStatus.DONE): NumberEnd(state=N.ACTIVE),
    (RegistrationOperation.BUY, RegistryStatus.REJECTED): NumberEnd(state=N.FAILED),
    (RegistrationOperation.ASSIGN, RegistryStatus.DONE): NumberEnd(assignment=A.ASSIGNED),
    (RegistrationOperation.ASSIGN, RegistryStatus.REJECTED): NumberEnd(assignment=A.FAILED),
    # A number is unassigned only in order to be released.
    (RegistrationOperation.UNASSIGN, RegistryStatus.DONE): NumberEnd(
        assignment=A.UNASSIGNED, then=N.RELEASING
    ),
    (RegistrationOperation.UNASSIGN, RegistryStatus.REJECTED): NumberEnd(
        assignment=A.UNASSIGN_FAILED
    ),
    (RegistrationOperation.RELEASE, RegistryStatus.DONE): NumberEnd(state=N.RELEASED),
    (RegistrationOperation.RELEASE, RegistryStatus.REJECTED): NumberEnd(state=N.RELEASE_FAILED),
}


class RegistrationAction(StrEnum):
    """The next action for a row's operation."""

    SUBMIT = "SUBMIT"
    RECONCILE = "RECONCILE"
    """A call may have been made whose outcome is not stored: look up before another call."""
    ASK = "ASK"
    """The registry has the operation: poll it."""
    OVER = "OVER"
    """The row has no such operation."""


def next_registration_action(
    *,
    wanted: RegistrationOperation,
    current: RegistrationOperation | None,
    deadline: datetime | None,
    taken: bool,
    approved: bool = False,
) -> RegistrationAction:
    """Return the next action of an operation, by the state of its row.

    Args:
        wanted: the operation the workflow runs.
        current: the operation the row has now.
        deadline: of a call whose outcome is not stored, if there is one.
        taken: the registry certainly has the operation.
        approved: the operation is a review of an approved row, which makes no call that submits.
    """
    if wanted is not current:
        return RegistrationAction.OVER
    if taken or approved:
        return RegistrationAction.ASK
    return RegistrationAction.SUBMIT if deadline is None else RegistrationAction.RECONCILE


_SHAPE: Final = re.compile(r"hxr-(brand|campaign|number)-(\d{1,16})-(\d{1,16})-(\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationReference:
    """Unique reference under which the registry knows one operation.

    `tenant` and `row` are public ids.
    """

    kind: RegistrationKind
    tenant: int
    row: int
    submission: int

    def __str__(self) -> str:
        return f"hxr-{self.kind}-{self.tenant}-{self.row}-{self.submission}"


def parse_registration_reference(text: str) -> RegistrationReference | None:
    """Parse a reference; None if it has another form."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    kind, tenant, row, submission = match.groups()
    return RegistrationReference(
        kind=RegistrationKind(kind),
        tenant=int(tenant),
        row=int(row),
        submission=int(submission),
    )
