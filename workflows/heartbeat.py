"""Sends heartbeats of long activities to Temporal.

Not workflow code: used by the activities whose policy in `policies.py` has a heartbeat timeout.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from temporalio import activity

_BEAT_SECONDS: Final = 1.0


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Send a heartbeat every second, so that a killed worker is detected soon."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(_BEAT_SECONDS)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
