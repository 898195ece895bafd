"""Readiness of an API process."""

import asyncio
from importlib.resources import files
from typing import Final

from sqlalchemy.exc import ProgrammingError

from api.shared_calls import SharedCalls
from models.errors import TemporarilyUnavailable
from models.queries.system.readiness import ServerState, read_server_state
from models.session import Database

_PATIENCE = 2.0
"""Seconds."""

KEPT_FOR: Final = 0.5
"""Seconds that a result is cached: the endpoint is open, and each check takes a connection."""


class Readiness:
    """Checks that the database responds, accepts writes, and has at least our schema version.

    A newer schema is accepted: migrations only add, so that processes can be upgraded one by one.
    Revision names are numbers, so a newer one sorts higher.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checks = SharedCalls[str, None](kept_for=KEPT_FOR)
        self._needed = (files("models") / "migrations" / "HEAD").read_text().strip()

    async def check(self) -> None:
        """Return if requests can be served, else raise; concurrent calls share one check."""
        await self._checks.get("database", self._check_database)
        if self._database.full:
            raise TemporarilyUnavailable("The database has no room for a write.")

    async def _check_database(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                state = await self._look()
                if state.read_only:
                    # Connections that were opened to a standby, or while the server was read-only,
                    # stay read-only.
                    await self._database.renew()
                    state = await self._look()
        except TimeoutError as error:
            raise TemporarilyUnavailable("The database does not answer.") from error
        except ProgrammingError as error:  # the table does not exist
            raise TemporarilyUnavailable("The database is not migrated.") from error
        if state.version is None or state.version < self._needed:
            raise TemporarilyUnavailable("The database is not migrated to this version.")
        if state.read_only:
            raise TemporarilyUnavailable("The database takes no writes.")

    async def _look(self) -> ServerState:
        async with self._database.read() as db:
            return await read_server_state(db)
