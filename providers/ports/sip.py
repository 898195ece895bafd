"""The port of SIP registrars: a directory of accounts, and current registrations.

A registrar that reads our own tables needs no updates; a vendor's directory does. An adapter never
retries and never raises for a business outcome: the workflow decides.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAccount:
    """An account of a SIP client. The password is excluded from repr, so from logs.

    It has 29 letters and digits in both cases, which satisfies the rules of the vendors.
    """

    username: str
    realm: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The directory has this account, or no longer has it if it was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The directory refuses; retrying is useless until an operator changes something there."""

    provider_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """The outcome is unknown; repeating the call is safe."""

    reason: str
    provider_code: str | None = None
    retry_after: timedelta | None = None


DirectoryAnswer: TypeAlias = Stored | Declined | Unreached


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A user's latest registration; the contact is excluded from repr, so from logs."""

    contact: str = field(repr=False)
    user_agent: str | None
    expires_at: datetime
    updated_at: datetime


class VoiceDirectory(Protocol):
    """A registrar's directory of accounts."""

    @property
    def name(self) -> str:
        """The directory's name in settings and logs."""
        ...

    @property
    def timeout(self) -> timedelta:
        """Timeout of one call."""
        ...

    async def put(self, account: SipAccount) -> DirectoryAnswer:
        """Add an account, or change the password of an existing username. Idempotent."""
        ...

    async def remove(self, username: str) -> DirectoryAnswer:
        """Remove an account; Stored as well if it does not exist."""
        ...


class ReportsRegistrations(Protocol):
    """A registrar whose current registrations can be queried."""

    async def registrations(
        self, usernames: Collection[str], now: datetime
    ) -> Mapping[str, Registration]:
        """Return the registrations of the named users that are valid at `now`, by username."""
        ...
