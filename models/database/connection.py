"""A psycopg connection with a client-side timeout that closes itself after a fault.

SQLAlchemy's statements and SQL text both go through `wait`, so both are covered.
"""

import asyncio
import select
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import errors, waiting
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus

from models.database.contact_key_check import check_contact_key
from models.database.faults import Fault, closes, fault_of
from models.rules.consent.contact_keys import ContactKeys

_Result = TypeVar("_Result")

_INTERVAL: Final = 0.1
"""Seconds; the driver's interval for checking whether a socket was closed."""

_CANCELING: Final = 1.0
"""Timeout in seconds for canceling a query on the server."""

_FULL_FOR: Final = 5.0
"""Seconds for which a server counts as full after an error that said so."""


class WriteTrouble:
    """Remembers when the server was last full; only writes detect it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._full_at: float | None = None

    def note(self, fault: Fault | None) -> None:
        """Record a fault."""
        if fault is Fault.FULL:
            self._full_at = self._clock()

    @property
    def full(self) -> bool:
        """Whether the server was full within the last few seconds; resets by itself."""
        return self._full_at is not None and self._clock() - self._full_at < _FULL_FOR


class ServerUnresponsive(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Closes itself when the server does not answer in time, and after a fault of the server."""

    patience: timedelta | None = None
    """Timeout of an answer."""
    trouble: WriteTrouble | None = None
    key_checked: bool = True
    """False while the database is not migrated: such a connection is used only once."""

    async def wait(
        self, gen: PQGen[_Result], interval: float = _INTERVAL, timeout: float | None = None
    ) -> _Result:
        """Run one exchange with the server.

        Raises ServerUnresponsive and closes the connection when no answer arrives. A canceled
        exchange closes it too, because its answer would be read as that of the next exchange.
        """
        bound = timeout
        if bound is None and self.patience is not None:
            bound = self.patience.total_seconds()
        try:
            return await waiting.wait_async(
                gen, self.pgconn.socket, interval=interval, timeout=bound
            )
        except errors._WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise ServerUnresponsive("the server does not answer") from None
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._abandon()
            raise
        except psycopg.Error as error:
            self._judge(error)
            raise

    @contextmanager
    def within(self, patience: timedelta) -> Iterator[Self]:
        """Limit the wait for answers inside the block."""
        before, self.patience = self.patience, patience
        try:
            yield self
        finally:
            self.patience = before

    def heard_something(self) -> bool:
        """Return whether an idle connection is readable, which mostly means that it was closed."""
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))

    def _judge(self, error: psycopg.Error) -> None:
        fault = fault_of(error)
        if self.trouble is not None:
            self.trouble.note(fault)
        if closes(fault):
            self.pgconn.finish()

    async def _abandon(self) -> None:
        try:
            with suppress(Exception):
                await self.cancel_safe(timeout=_CANCELING)
        finally:
            self.pgconn.finish()


def connector(
    patience: timedelta, trouble: WriteTrouble, contact_keys: ContactKeys | None = None
) -> Callable[..., Awaitable[Connection]]:
    """Return a factory of such connections; it takes the arguments of `psycopg.connect`.

    With contact keys, the key is checked on each new connection, because the address may lead to
    another database than before. Raises ContactKeyDiffers.
    """

    async def connect(*words: Any, **options: Any) -> Connection:
        connection = await Connection.connect(*words, **options)
        connection.patience = patience
        connection.trouble = trouble
        if contact_keys is not None:
            try:
                connection.key_checked = await check_contact_key(connection, contact_keys)
            except BaseException:
                connection.pgconn.finish()
                raise
        return connection

    return connect
