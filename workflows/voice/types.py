"""Inputs and results of `provision-voice` in Temporal history: ids and enum values only."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionInput:
    """One version of a SIP user to be written to a directory."""

    tenant_id: int
    credential_id: int
    public_id: int
    version: int


class Provisioned(StrEnum):
    """Outcome of the update."""

    STORED = "STORED"
    """The directory has this version or a later one."""
    DECLINED = "DECLINED"
    """The directory refuses it until its configuration is changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionStep:
    """The SIP user to write; its row holds the current version."""

    tenant_id: int
    credential_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionResult:
    """Outcome of one update."""

    outcome: Provisioned
