"""How a step that may take long tells Temporal that its worker lives.

Not workflow code: steps use it whose budget in `policies.py` has a heartbeat.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from temporalio import activity

_BEAT_SECONDS: Final = 1.0


@asynccontextmanager
async def alive() -> AsyncIterator[None]:
    """Tell so again and again meanwhile, so that a worker that was killed is soon noticed."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(_BEAT_SECONDS)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
