"""Whether this process can serve requests."""

import asyncio
from importlib.resources import files
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from models.errors import TemporarilyUnavailable
from models.session import Database

_PATIENCE = 2.0
"""Seconds."""

_LOOK: Final = text(
    """
    SELECT max(version_num) AS version,
           pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only
      FROM alembic_version
    """
)


class Readiness:
    """Asks the database whether it answers and takes writes, and whether its schema is ours.

    A newer schema is fine: migrations only add, so that code may be replaced process by process.
    Their names are numbers, so the newer one sorts higher.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._needed = (files("models") / "migrations" / "HEAD").read_text().strip()

    async def check(self) -> None:
        """Return if requests can be served, else raise."""
        try:
            async with asyncio.timeout(_PATIENCE):
                version, read_only = await self._look()
                if read_only:
                    # What was opened to a standby, or while writing was switched off, stays so.
                    await self._database.renew()
                    version, read_only = await self._look()
        except TimeoutError as error:
            raise TemporarilyUnavailable("The database does not answer.") from error
        except ProgrammingError as error:  # no such table
            raise TemporarilyUnavailable("The database is not migrated.") from error
        if version is None or version < self._needed:
            raise TemporarilyUnavailable("The database is not migrated to this version.")
        if read_only:
            raise TemporarilyUnavailable("The database takes no writes.")
        if self._database.full:
            raise TemporarilyUnavailable("The database has no room for a write.")

    async def _look(self) -> tuple[str | None, bool]:
        async with self._database.read() as db:
            row = (await db.execute(_LOOK)).one()
        return row.version, row.read_only
