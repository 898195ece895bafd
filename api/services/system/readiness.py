"""Whether this process can serve requests."""

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
"""Seconds that an answer is kept: anybody may ask, and each look takes a connection."""


class Readiness:
    """Asks the database whether it answers and takes writes, and whether its schema is ours.

    A newer schema is fine: migrations only add, so that code may be replaced process by process.
    Their names are numbers, so the newer one sorts higher.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checks = SharedCalls[str, None](kept_for=KEPT_FOR)
        self._needed = (files("models") / "migrations" / "HEAD").read_text().strip()

    async def check(self) -> None:
        """Return if requests can be served, else raise; many who ask at once share one look."""
        await self._checks.get("database", self._check_database)
        if self._database.full:
            raise TemporarilyUnavailable("The database has no room for a write.")

    async def _check_database(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                state = await self._look()
                if state.read_only:
                    # What was opened to a standby, or while writing was switched off, stays so.
                    await self._database.renew()
                    state = await self._look()
        except TimeoutError as error:
            raise TemporarilyUnavailable("The database does not answer.") from error
        except ProgrammingError as error:  # no such table
            raise TemporarilyUnavailable("The database is not migrated.") from error
        if state.version is None or state.version < self._needed:
            raise TemporarilyUnavailable("The database is not migrated to this version.")
        if state.read_only:
            raise TemporarilyUnavailable("The database takes no writes.")

    async def _look(self) -> ServerState:
        async with self._database.read() as db:
            return await read_server_state(db)
