"""Database sessions. A reader cannot write by accident: the type checker sees two kinds."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NewType, cast

from sqlalchemy import Result, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    create_async_engine,
)

from models.sql_text import Driver, sql_text

_NOTHING: Final = text("SELECT 1")


class _Session(AsyncSession):
    """SQLAlchemy's session on one connection; SQL text goes straight to the driver.

    Both ways lead through the same transaction, so they may be mixed. What was added is flushed
    before a text only if somebody flushes it, as with SQLAlchemy alone.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection, expire_on_commit=False)
        self._connection = connection
        self._driver: Driver | None = None

    async def execute(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """Execute a statement; see SQLAlchemy."""
        if isinstance(statement, TextClause):
            return await self._tell_driver(statement, params or {})
        return await super().execute(statement, params, **options)

    async def scalar(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """Return the first column of the first row; see SQLAlchemy."""
        if isinstance(statement, TextClause):
            return (await self._tell_driver(statement, params or {})).scalar()
        return await super().scalar(statement, params, **options)

    async def scalars(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """Return the first column of every row; see SQLAlchemy."""
        if isinstance(statement, TextClause):
            return (await self._tell_driver(statement, params or {})).scalars()
        return await super().scalars(statement, params, **options)

    async def _tell_driver(self, statement: TextClause, params: Mapping[str, Any]) -> Result[Any]:
        if self._driver is None:
            assert self._connection.sync_connection is not None
            raw = self._connection.sync_connection.connection
            self._driver = cast(Driver, raw.driver_connection)
        try:
            return await sql_text(statement).execute(self._driver, params)
        except DBAPIError as error:
            if error.connection_invalidated:
                # SQLAlchemy is to notice: it parts with every connection that is as old.
                await self._connection.execute(_NOTHING)
            raise

    async def end(self) -> None:
        """Let go of what was loaded; the connection goes on."""
        if self.in_transaction():
            await self.close()

    async def flush_all(self) -> None:
        """Write what was added or changed, if anything was."""
        if self.new or self.dirty or self.deleted:
            await self.flush()


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
            hide_parameters=True,  # in errors: they are texts and contacts
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
        async with self._single.connect() as connection, _session(connection) as session:
            yield ReadSession(session)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """Open one transaction: committed when the block ends, rolled back when it raises."""
        async with self.engine.begin() as connection, _session(connection) as session:
            yield WriteSession(session)
            await session.flush_all()

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[WriteSession]:
        """Open a session for one statement that is a transaction by itself: no BEGIN, no COMMIT."""
        async with self._single.connect() as connection, _session(connection) as session:
            yield WriteSession(session)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


@asynccontextmanager
async def _session(connection: AsyncConnection) -> AsyncIterator[_Session]:
    session = _Session(connection)
    try:
        yield session
    finally:
        await session.end()
