"""Database sessions. The type checker separates readers from writers, so a reader cannot write."""

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

_BUILT_LATE: Final = frozenset({"_async_bind", "_async_binds", "sync_session", "_proxied"})
"""Attributes that the constructor of SQLAlchemy's session sets."""

_DO_NOT_SORT: Final = text(
    "SELECT set_config('enable_sort', 'off', TRUE),"
    " set_config('enable_incremental_sort', 'off', TRUE)"
)


class _Session(AsyncSession):
    """SQLAlchemy's session on one connection; plain SQL texts go straight to the driver.

    Both paths use the same transaction, so they may be mixed. As with SQLAlchemy alone, pending
    objects are not flushed before a text. A text without rows has an empty result without a row
    count; use RETURNING.

    SQLAlchemy's own session is built when it is first needed: most sessions execute texts alone.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._begun = connection.in_transaction()

    def __getattr__(self, name: str) -> Any:
        """Build what SQLAlchemy's constructor sets."""
        if name not in _BUILT_LATE:
            raise AttributeError(name)
        super().__init__(self._connection, expire_on_commit=False)
        return getattr(self, name)

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
        """Release the loaded objects; the connection stays open."""
        if self._is_built() and self.in_transaction():
            await self.close()

    async def flush_all(self) -> None:
        """Flush pending inserts, updates and deletes, if any."""
        if self._is_built() and (self.new or self.dirty or self.deleted):
            await self.flush()

    def _is_built(self) -> bool:
        return "sync_session" in vars(self)

    def _prepared(self, statement: Any, params: Any, options: Mapping[str, Any]) -> SqlText | None:
        """Return the text for the driver; None if SQLAlchemy has to execute the statement."""
        one = params is None or isinstance(params, Mapping)
        if not isinstance(statement, TextClause) or not one or options:
            return None
        if self._connection.invalidated or (self._begun and not self._connection.in_transaction()):
            return None  # SQLAlchemy reconnects, or raises because the transaction has ended
        return sql_text(statement)

    async def _tell_driver(self, told: SqlText, params: Mapping[str, Any]) -> Result[Any]:
        assert self._connection.sync_connection is not None
        driver = cast(Driver, self._connection.sync_connection.connection.driver_connection)
        try:
            return await told.execute(driver, params)
        except CancelledError as cancelled:
            # As SQLAlchemy does: the state of the server is unknown.
            await self._connection.invalidate(cancelled)
            raise
        except DBAPIError as error:
            if fault_of(error) is Fault.ENDED:
                await self._connection.invalidate(error)
            elif error.connection_invalidated:
                # Let SQLAlchemy notice the fault: it invalidates all connections of the same age.
                with suppress(SQLAlchemyError):
                    await self._connection.execute(_NOTHING)
            raise


ReadSession = NewType("ReadSession", AsyncSession)
"""For reads, each statement in its own transaction. It must not write."""

IndexOrderSession = NewType("IndexOrderSession", ReadSession)
"""For reads in the order of an index, in one transaction in which the planner does not sort."""

WriteSession = NewType("WriteSession", AsyncSession)
"""One transaction, committed by the code that opened it; services never commit."""


class Database:
    """Connection pool of one process, with limits by the kind of process.

    A transaction that may have to wait for row locks of a merchant or a tenant names it as its
    `lock_scope`, so that not all connections wait for the same lock.
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
        # READ COMMITTED is enough: every rule re-reads under the row lock it holds.
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            # The most recently used connection has prepared statements and warm caches.
            pool_use_lifo=True,
            pool_pre_ping=False,  # see models/database/idle_check.py
            hide_parameters=True,  # errors would otherwise contain texts and contacts
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

        # A single statement needs no explicit transaction, which saves BEGIN and COMMIT.
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def contact_keys(self) -> ContactKeys:
        """Makes the contact keys that this database compares; verified on connecting."""
        if self._contact_keys is None:
            raise RuntimeError("this process was given no contact key")
        return self._contact_keys

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Open a session for queries; it acquires its connection immediately."""
        async with self._single.connect() as connection, _session(connection) as session:
            yield ReadSession(session)

    @asynccontextmanager
    async def read_by_index(self) -> AsyncIterator[IndexOrderSession]:
        """Open a session for queries whose order is that of one index.

        The planner does not sort in it, so it reads that index and stops at the limit, whatever
        the statistics say. A query in the order of no index is sorted nevertheless.
        """
        async with (
            self.engine.connect() as connection,
            connection.begin(),
            _session(connection) as session,
        ):
            await session.execute(_DO_NOT_SORT)
            yield IndexOrderSession(ReadSession(session))

    @asynccontextmanager
    async def transaction(
        self, lock_scope: LockScope | None = None, *, wait_when_locked: bool = False
    ) -> AsyncIterator[WriteSession]:
        """Open one transaction: committed when the block ends, rolled back when it raises.

        It waits for a slot of the scope, then acquires its connection. With `wait_when_locked` it
        waits for the slot even while the scope is known to be locked.
        """
        async with (
            self._transaction_limits.slot(lock_scope, wait_when_locked=wait_when_locked),
            self.engine.connect() as connection,
            connection.begin() as transaction,
        ):
            async with _session(connection) as session:
                yield WriteSession(session)
                await session.flush_all()
            await transaction.commit()  # raises if it was rolled back meanwhile

    @asynccontextmanager
    async def statement(self, lock_scope: LockScope | None = None) -> AsyncIterator[WriteSession]:
        """Open a session for one statement in autocommit mode: no BEGIN, no COMMIT."""
        async with (
            self._transaction_limits.slot(lock_scope),
            self._single.connect() as connection,
            _session(connection) as session,
        ):
            yield WriteSession(session)

    @property
    def full(self) -> bool:
        """Whether a write recently failed because of a full disk or an I/O error."""
        return self._trouble.full

    async def renew(self) -> None:
        """Replace every connection; those in use are closed when they are returned."""
        await self.engine.dispose()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _keep_others(context: ExceptionContext) -> None:
    """Keep the pool's other connections when a fault concerns only one backend."""
    if fault_of(context.original_exception) is Fault.ENDED:
        context.invalidate_pool_on_disconnect = False


def connect_options(url: str, limits: DatabaseLimits) -> dict[str, Any]:
    """Return the driver's connection options; those in the URL take precedence."""
    given = make_url(url).query
    options: dict[str, Any] = {"connect_timeout": round(CONNECT.total_seconds()), **TCP}
    options = {name: value for name, value in options.items() if name not in given}
    # The server uses the last value of each setting.
    options["options"] = f"{limits.server_options} {given.get('options', '')}".strip()
    return options


@asynccontextmanager
async def _session(connection: AsyncConnection) -> AsyncIterator[_Session]:
    session = _Session(connection)
    try:
        yield session
    finally:
        await session.end()
