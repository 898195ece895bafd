"""What a SIP registrar looks like from inside: where credentials go, and who is registered.

A registrar that reads our own tables takes nothing; one that a vendor keeps must be told. An
adapter never retries and never raises for a business outcome: the workflow decides.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAccount:
    """What a SIP client registers with. The password is in no repr, so in no log.

    It has 29 letters and digits, both cases among them: what vendors ask of one at least.
    """

    username: str
    realm: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The directory knows it now, whatever it knew before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The directory understood and will not do it until somebody changes something there."""

    provider_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """It is not known that the directory did it; doing it again is safe."""

    reason: str
    provider_code: str | None = None
    retry_after: timedelta | None = None


DirectoryAnswer: TypeAlias = Stored | Declined | Unreached


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One user's latest registration; the contact is in no repr, so in no log."""

    contact: str = field(repr=False)
    user_agent: str | None
    expires_at: datetime
    updated_at: datetime


class VoiceDirectory(Protocol):
    """A registrar's list of those who may register."""

    @property
    def name(self) -> str:
        """The word for this directory in settings and logs."""
        ...

    @property
    def timeout(self) -> timedelta:
        """The budget of one call."""
        ...

    async def put(self, account: SipAccount) -> DirectoryAnswer:
        """Add an account, or give a known username a new password. Twice is once."""
        ...

    async def remove(self, username: str) -> DirectoryAnswer:
        """Take an account away; one that is not there is Stored as well."""
        ...


class ReportsRegistrations(Protocol):
    """A registrar that can be asked who is registered with it now."""

    async def registrations(
        self, usernames: Collection[str], now: datetime
    ) -> Mapping[str, Registration]:
        """Return those of the named users who are registered at `now`, by username."""
        ...
