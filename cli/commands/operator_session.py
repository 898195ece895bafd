"""Runs an operator's command in one transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cli.read_settings import read_settings
from models.database.limits import OPERATOR
from models.session import Database, WriteSession
from models.settings import Settings

Result = TypeVar("Result")


def in_transaction(action: Callable[[WriteSession], Awaitable[Result]]) -> Result:
    """Run an action in a transaction on the configured database, and return its result."""

    settings = read_settings(Settings)

    async def run() -> Result:
        database = Database(settings.async_database_url, pool_size=2, limits=OPERATOR)
        try:
            async with database.transaction() as db:
                return await action(db)
        finally:
            await database.close()

    return asyncio.run(run())
