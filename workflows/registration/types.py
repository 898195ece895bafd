"""What crosses into Temporal history for 10DLC: ids, words and times.

Fields are only ever added, with a default, so that running workflows can still be read.
"""

from dataclasses import dataclass
from datetime import datetime

from models.rules.registration.lifecycle import RegistrationAction
from models.rules.registration.vocabulary import RegistrationKind, RegistrationOperation
from models.rules.waits import RegistrationWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationInput:
    """One row to carry to where nothing more is asked of the registry."""

    tenant_id: int
    kind: RegistrationKind
    row_id: int
    waits: RegistrationWaits
    public_id: int = 0
    """Of the row, for logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationStep:
    """Which operation of which row; one that the row no longer has is over."""

    tenant_id: int
    kind: RegistrationKind
    row_id: int
    registry_operation: RegistrationOperation
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationResult:
    """What is to be done next, and how the row stands.

    `until` goes with SUBMIT: nothing was processed, and when to try again.
    """

    action: RegistrationAction
    state: str
    until: datetime | None = None
