"""Database sessions. A reader cannot write by accident: the type checker sees two kinds."""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NewType, cast

from sqlalchemy import Result, TextClause, event, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    create_async_engine,
)

from models.database.connection import WriteTrouble, connector
from models.database.faults import Fault, fault_of
from models.database.idle_check import check_idle_connections
from models.database.limits import CONNECT, OPERATOR, TCP, DatabaseLimits
from models.database.sql_text import Driver, SqlText, sql_text
from models.database.transaction_limits import LockScope, TransactionLimits
from models.rules.consent.contact_keys import ContactKeys

_NOTHING: Final = text("SELECT 1")


class _Session(AsyncSession):
    """SQLAlchemy's session on one connection; a plain SQL text goes straight to the driver.

    Both ways lead through the same transaction, so they may be mixed. What was added is flushed
    before a text only if somebody flushes it, as with SQLAlchemy alone. Of a text without rows the
    result is empty, and how many rows it changed is not known: ask by RETURNING.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection, expire_on_commit=False)
        self._connection = connection
        self._begun = connection.in_transaction()

    async def execute(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """Execute a statement; see SQLAlchemy."""
        prepared = self._prepared(statement, params, options)
        if prepared is None:
            return await super().execute(statement, params, **options)
        return await self._tell_driver(prepared, params or {})

    async def scalar(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """Return the first column of the first row; see SQLAlchemy."""
        return (await self.execute(statement, params, **options)).scalar()

    async def scalars(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """Return the first column of every row; see SQLAlchemy."""
        return (await self.execute(statement, params, **options)).scalars()

    async def end(self) -> None:
        """Let go of what was loaded; the connection goes on."""
        if self.in_transaction():
            await self.close()

    async def flush_all(self) -> None:
        """Write what was added or changed, if anything was."""
        if self.new or self.dirty or self.deleted:
            await self.flush()

    def _prepared(self, statement: Any, params: Any, options: Mapping[str, Any]) -> SqlText | None:
        """Return what the driver is told; None for whatever SQLAlchemy has to see to."""
        one = params is None or isinstance(params, Mapping)
        if not isinstance(statement, TextClause) or not one or options:
            return None
        if self._connection.invalidated or (self._begun and not self._connection.in_transaction()):
            return None  # it connects again, or says that the transaction is over
        return sql_text(statement)

    async def _tell_driver(self, told: SqlText, params: Mapping[str, Any]) -> Result[Any]:
        assert self._connection.sync_connection is not None
        driver = cast(Driver, self._connection.sync_connection.connection.driver_connection)
        try:
            return await told.execute(driver, params)
        except CancelledError as cancelled:
            # As SQLAlchemy does: nobody knows what the server is still at.
            await self._connection.invalidate(cancelled)
            raise
        except DBAPIError as error:
            if fault_of(error) is Fault.ENDED:
                await self._connection.invalidate(error)
            elif error.connection_invalidated:
                # SQLAlchemy is to notice: it parts with every connection that is as old.
                with suppress(SQLAlchemyError):
                    await self._connection.execute(_NOTHING)
            raise


ReadSession = NewType("ReadSession", AsyncSession)
"""For looking only, each statement by itself. What it must not do is write."""

WriteSession = NewType("WriteSession", AsyncSession)
"""One transaction, committed by whoever opened it; services never commit."""


class Database:
    """The connection pool of one process, within the limits of what the process does.

    A transaction that may have to wait for rows of a merchant or a tenant names it as its
    `lock_scope`, so that not every connection waits for the same lock.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 20,
        limits: DatabaseLimits = OPERATOR,
        contact_keys: ContactKeys | None = None,
    ) -> None:
        self._contact_keys = contact_keys
        self._trouble = WriteTrouble()
        self._transaction_limits = TransactionLimits(pool_size, limits)
        # READ COMMITTED: every rule here re-reads under the row lock it holds.
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            # The connection used last has its statements prepared and its caches warm.
            pool_use_lifo=True,
            pool_pre_ping=False,  # see models/database/idle_check.py
            hide_parameters=True,  # in errors: they are texts and contacts
            isolation_level="READ COMMITTED",
            connect_args={
                **connect_options(url, limits),
                "application_name": "hexavox",
                "prepare_threshold": 1,
                "async_creator_fn": connector(limits.answer, self._trouble, contact_keys),
            },
        )
        check_idle_connections(self.engine)
        event.listen(self.engine.sync_engine, "handle_error", _keep_others)

        # A single statement needs no transaction around it, and so no BEGIN and COMMIT.
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def contact_keys(self) -> ContactKeys:
        """What makes the contact keys that this database compares; it is checked on connecting."""
        if self._contact_keys is None:
            raise RuntimeError("this process was given no contact key")
        return self._contact_keys

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Open a session for queries; it takes its connection at once."""
        async with self._single.connect() as connection, _session(connection) as session:
            yield ReadSession(session)

    @asynccontextmanager
    async def transaction(
        self, lock_scope: LockScope | None = None, *, wait_when_locked: bool = False
    ) -> AsyncIterator[WriteSession]:
        """Open one transaction: committed when the block ends, rolled back when it raises.

        It waits for a slot of the scope, then takes its connection at once. With
        `wait_when_locked` it waits for the slot even while the scope is known to be locked.
        """
        async with (
            self._transaction_limits.slot(lock_scope, wait_when_locked=wait_when_locked),
            self.engine.connect() as connection,
            connection.begin() as transaction,
        ):
            async with _session(connection) as session:
                yield WriteSession(session)
                await session.flush_all()
            await transaction.commit()  # raises if it was rolled back on the way

    @asynccontextmanager
    async def statement(self, lock_scope: LockScope | None = None) -> AsyncIterator[WriteSession]:
        """Open a session for one statement that is a transaction by itself: no BEGIN, no COMMIT."""
        async with (
            self._transaction_limits.slot(lock_scope),
            self._single.connect() as connection,
            _session(connection) as session,
        ):
            yield WriteSession(session)

    @property
    def full(self) -> bool:
        """Whether the server had no room for a write a moment ago."""
        return self._trouble.full

    async def renew(self) -> None:
        """Part with every connection, at the latest when it is given back; open new ones."""
        await self.engine.dispose()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _keep_others(context: ExceptionContext) -> None:
    """Keep the pool's other connections when a fault is of one backend only."""
    if fault_of(context.original_exception) is Fault.ENDED:
        context.invalidate_pool_on_disconnect = False


def connect_options(url: str, limits: DatabaseLimits) -> dict[str, Any]:
    """Return what the driver is told besides the address; what the address itself says wins."""
    given = make_url(url).query
    options: dict[str, Any] = {"connect_timeout": round(CONNECT.total_seconds()), **TCP}
    options = {name: value for name, value in options.items() if name not in given}
    # The server takes the last word on each setting.
    options["options"] = f"{limits.server_options} {given.get('options', '')}".strip()
    return options


@asynccontextmanager
async def _session(connection: AsyncConnection) -> AsyncIterator[_Session]:
    session = _Session(connection)
    try:
        yield session
    finally:
        await session.end()
