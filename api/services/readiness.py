"""Whether this process can serve requests."""

import asyncio

from sqlalchemy import text

from models.errors import TemporarilyUnavailable
from models.session import Database

_PATIENCE = 2.0
"""Seconds."""


class Readiness:
    """Asks the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self) -> None:
        """Return if the database answers, else raise."""
        try:
            async with asyncio.timeout(_PATIENCE), self._database.read() as db:
                await db.execute(text("SELECT 1"))
        except TimeoutError as error:
            raise TemporarilyUnavailable("The database does not answer.") from error
