"""Inputs and results of the 10DLC workflows in Temporal history: ids, enum values and times.

Fields are only added, with a default, so that running workflows can still be read.
"""

from dataclasses import dataclass
from datetime import datetime

from models.rules.registration.lifecycle import RegistrationAction
from models.rules.registration.vocabulary import RegistrationKind, RegistrationOperation
from models.rules.waits import RegistrationWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationInput:
    """One row to process until no operation at the registry is left."""

    tenant_id: int
    kind: RegistrationKind
    row_id: int
    waits: RegistrationWaits
    public_id: int = 0
    """Public id of the row, for logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationStep:
    """One operation of one row; OVER if the row no longer has it."""

    tenant_id: int
    kind: RegistrationKind
    row_id: int
    registry_operation: RegistrationOperation
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationResult:
    """The next action, and the row's state.

    `until` is set with SUBMIT: nothing was processed, and this is the time to retry.
    """

    action: RegistrationAction
    state: str
    until: datetime | None = None
