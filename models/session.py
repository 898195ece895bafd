"""Database sessions. A reader cannot write by accident: the type checker sees two kinds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NewType

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

ReadSession = NewType("ReadSession", AsyncSession)
"""For looking only, each statement by itself. What it must not do is write."""

WriteSession = NewType("WriteSession", AsyncSession)
"""One transaction, committed by whoever opened it; services never commit."""


class Database:
    """The connection pool of one process."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        # READ COMMITTED: every rule here re-reads under the row lock it holds.
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            # The connection used last has its statements prepared and its caches warm.
            pool_use_lifo=True,
            pool_pre_ping=False,
            isolation_level="READ COMMITTED",
            connect_args={
                "connect_timeout": 5,
                "application_name": "hexavox",
                "prepare_threshold": 1,
            },
        )

        # A single statement needs no transaction around it, and so no BEGIN and COMMIT.
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Open a session for queries."""
        async with AsyncSession(self._single, expire_on_commit=False) as session:
            yield ReadSession(session)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """Open one transaction: committed when the block ends, rolled back when it raises."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            yield WriteSession(session)

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[WriteSession]:
        """Open a session for one statement that is a transaction by itself: no BEGIN, no COMMIT."""
        async with AsyncSession(self._single, expire_on_commit=False) as session:
            yield WriteSession(session)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
