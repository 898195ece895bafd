"""Limits how many bodies of batches of one tenant this process holds at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from models.batch_errors import TooManyBatches

AT_ONCE: Final = 2
"""A body in memory takes up to about 25 MB."""

PATIENCE: Final = timedelta(seconds=10)


@dataclass(slots=True)
class _Tenant:
    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    users: int = 0


class ReceivingSlots:
    """The slots of tenants that send a batch now; their number is bounded by running requests."""

    def __init__(self, patience: timedelta = PATIENCE) -> None:
        self._patience = patience.total_seconds()
        self._tenants: dict[int, _Tenant] = {}

    @asynccontextmanager
    async def hold(self, tenant_id: int) -> AsyncIterator[None]:
        """Hold a slot while a body is received and stored; raises TooManyBatches after a wait."""
        tenant = self._tenants.setdefault(tenant_id, _Tenant())
        tenant.users += 1
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await tenant.free.acquire()
            except TimeoutError as error:
                raise TooManyBatches("Two batches of the tenant are being received.") from error
            try:
                yield
            finally:
                tenant.free.release()
        finally:
            tenant.users -= 1
            if not tenant.users:
                del self._tenants[tenant_id]

    @property
    def remembered(self) -> int:
        """Number of tenants in memory."""
        return len(self._tenants)
