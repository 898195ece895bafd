"""Kamailio on our database: it reads accounts from a view and writes registrations to a table.

It needs no updates, because the view selects from our own table.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from providers.ports.sip import DirectoryAnswer, Registration, SipAccount, Stored

NAME: Final = "kamailio"


class Location(Protocol):
    """A registration that Kamailio wrote."""

    @property
    def username(self) -> str:
        """The user's name."""
        ...

    @property
    def contact(self) -> str:
        """The contact URI."""
        ...

    @property
    def user_agent(self) -> str | None:
        """The client's User-Agent."""
        ...

    @property
    def expires_at(self) -> datetime:
        """When the registration expires."""
        ...

    @property
    def updated_at(self) -> datetime:
        """When the user registered last."""
        ...


Locate = Callable[[Collection[str], datetime], Awaitable[Sequence[Location]]]


class Kamailio:
    """A registrar with registrations that can be read."""

    name = NAME
    timeout = timedelta(0)

    def __init__(self, locate: Locate) -> None:
        self._locate = locate

    async def put(self, account: SipAccount) -> DirectoryAnswer:
        """Do nothing: the view shows the account once its row is committed."""
        return Stored()

    async def remove(self, username: str) -> DirectoryAnswer:
        """Do nothing, for the same reason."""
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
