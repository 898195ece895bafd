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
"""Seconds; the driver's own, at which it looks whether a socket was closed."""

_CANCELING: Final = 1.0
"""Seconds that may be spent on telling the server that nobody wants the answer any more."""

_FULL_FOR: Final = 5.0
"""Seconds for which a server that had no room is taken to have none."""


class WriteTrouble:
    """Remembers when the server last had no room: only writing tells."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._full_at: float | None = None

    def note(self, fault: Fault | None) -> None:
        """Take notice of what an error meant."""
        if fault is Fault.FULL:
            self._full_at = self._clock()

    @property
    def full(self) -> bool:
        """Whether the server had no room a moment ago; over by itself, as the trouble may be."""
        return self._full_at is not None and self._clock() - self._full_at < _FULL_FOR


class ServerUnresponsive(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Closes itself when the server does not answer in time, and after a fault of the server."""

    patience: timedelta | None = None
    """How long an answer may take."""
    trouble: WriteTrouble | None = None
    key_checked: bool = True
    """False while the database is not migrated: such a connection is used once."""

    async def wait(
        self, gen: PQGen[_Result], interval: float = _INTERVAL, timeout: float | None = None
    ) -> _Result:
        """Run one exchange with the server.

        Raises ServerUnresponsive and closes the connection when no answer comes. A cancelled
        exchange closes it as well: its answer would be read as that of the next one.
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
        """Wait for answers only so long inside the block."""
        before, self.patience = self.patience, patience
        try:
            yield self
        finally:
            self.patience = before

    def heard_something(self) -> bool:
        """Say whether an idle connection has something to read: nearly always its end."""
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
    """Return what opens such connections; it takes what `psycopg.connect` takes.

    With contact keys each new connection is checked: its address may lead to another database than
    before. It raises ContactKeyDiffers then.
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
