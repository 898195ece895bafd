"""Shares the rate limits among all API processes, in the background."""

import asyncio
import logging
from typing import Final

from api.http.limits.rate_limits import RequestLimits
from models.queries.tenants import request_limits
from models.session import Database

TICK: Final = 0.25
"""Seconds. A bucket is settled within one tick of its first request and then once a second."""

_PATIENCE: Final = 5.0
"""Statement timeout in seconds."""

log = logging.getLogger(__name__)


async def keep_settling(limits: RequestLimits, database: Database) -> None:
    """Settle due buckets in a loop.

    While Postgres is unreachable each process uses its last share.
    """
    away = False
    while True:
        await asyncio.sleep(TICK)
        try:
            await settle(limits, database)
            away = False
        except Exception as error:  # any failure: the next tick tries again
            if not away:
                log.warning(
                    "rate limits could not be synchronized", extra={"error": type(error).__name__}
                )
            away = True


async def settle(limits: RequestLimits, database: Database) -> None:
    """Settle all due buckets in one statement."""
    told = limits.due()
    if told:
        async with asyncio.timeout(_PATIENCE), database.statement() as db:
            shared = await request_limits.settle(db, told, key=limits.key, tenant=limits.tenant)
        limits.settle(told, shared)
