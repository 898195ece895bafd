"""What crosses into history of a SIP user on its way to a directory: ids and words only."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionInput:
    """One version of a SIP user that a directory must be told."""

    tenant_id: int
    credential_id: int
    public_id: int
    version: int


class Provisioned(StrEnum):
    """What came of telling the directory."""

    STORED = "STORED"
    """It knows this version or a later one."""
    DECLINED = "DECLINED"
    """It will not until somebody changes something there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionStep:
    """Whom to tell the directory of; the row knows the version."""

    tenant_id: int
    credential_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionResult:
    """What came of it."""

    outcome: Provisioned
