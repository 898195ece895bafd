"""Whether this process can serve requests."""

import asyncio
from importlib.resources import files

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from models.errors import TemporarilyUnavailable
from models.session import Database

_PATIENCE = 2.0
"""Seconds."""

_VERSION = text("SELECT max(version_num) FROM alembic_version")


class Readiness:
    """Asks the database whether it answers, and whether its schema is ours or a newer one.

    Newer is fine: migrations only add, so that code may be replaced process by process. Their names
    are numbers, so the newer one sorts higher.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._needed = (files("models") / "migrations" / "HEAD").read_text().strip()

    async def check(self) -> None:
        """Return if requests can be served, else raise."""
        try:
            async with asyncio.timeout(_PATIENCE), self._database.read() as db:
                version = await db.scalar(_VERSION)
        except TimeoutError as error:
            raise TemporarilyUnavailable("The database does not answer.") from error
        except ProgrammingError as error:  # no such table
            raise TemporarilyUnavailable("The database is not migrated.") from error
        if version is None or version < self._needed:
            raise TemporarilyUnavailable("The database is not migrated to this version.")
