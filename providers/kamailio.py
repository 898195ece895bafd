"""Kamailio on our own database: it reads who may register, and writes down who has.

A view of our table is its list of accounts, so there is nothing to tell it.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from providers.ports.sip import DirectoryAnswer, Registration, SipAccount, Stored

NAME: Final = "kamailio"


class Location(Protocol):
    """What it wrote of one user."""

    @property
    def username(self) -> str:
        """The user's name."""
        ...

    @property
    def contact(self) -> str:
        """Where the user is reached."""
        ...

    @property
    def user_agent(self) -> str | None:
        """The client, as it calls itself."""
        ...

    @property
    def expires_at(self) -> datetime:
        """Until when, unless it registers again."""
        ...

    @property
    def updated_at(self) -> datetime:
        """When it registered last."""
        ...


Locate = Callable[[Collection[str], datetime], Awaitable[Sequence[Location]]]


class Kamailio:
    """A registrar whose notes are in our reach."""

    name = NAME
    timeout = timedelta(0)

    def __init__(self, locate: Locate) -> None:
        self._locate = locate

    async def put(self, account: SipAccount) -> DirectoryAnswer:
        """Do nothing: its view shows the account since the row was committed."""
        return Stored()

    async def remove(self, username: str) -> DirectoryAnswer:
        """Do nothing, likewise."""
        return Stored()

    async def registrations(
        self, usernames: Collection[str], now: datetime
    ) -> Mapping[str, Registration]:
        """Return those of the named users who are registered at `now`, by username."""
        return {
            location.username: Registration(
                contact=location.contact,
                user_agent=location.user_agent,
                expires_at=location.expires_at,
                updated_at=location.updated_at,
            )
            for location in await self._locate(usernames, now)
        }
