"""Classification of failed steps: caused by input or by infrastructure."""

import asyncio
import socket
from datetime import timedelta

import httpx
import psycopg
import pytest
from psycopg import errors
from sqlalchemy import exc
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from models.database.connection import ServerUnresponsive
from models.errors import TemporarilyUnavailable
from models.queries.billing.usage_days import DayIsClosed
from models.rules.system.failures import back_off, caused_by_input


def wrapped(error: psycopg.Error, *, lost: bool = False) -> BaseException:
    """Return a driver error as SQLAlchemy wraps it."""
    return exc.DBAPIError.instance(
        "SELECT 1", None, error, psycopg.Error, connection_invalidated=lost
    )


def raised_from(cause: BaseException) -> Exception:
    error = RuntimeError("wrapped")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyError("x"),
        TypeError("x"),
        AttributeError("x"),
        IndexError(),
        AssertionError(),
        RecursionError(),
        ZeroDivisionError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
        wrapped(errors.StringDataRightTruncation()),
        wrapped(errors.NumericValueOutOfRange()),
        wrapped(errors.UntranslatableCharacter()),
        wrapped(errors.CheckViolation()),
        wrapped(errors.NotNullViolation()),
        wrapped(errors.ProgramLimitExceeded()),
        wrapped(psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")),
        errors.InvalidTextRepresentation(),
        exc.MultipleResultsFound(),
        exc.StatementError("x", "SELECT 1", None, TypeError("not serializable")),
        raised_from(KeyError("x")),
        ExceptionGroup("x", [ValueError(), KeyError()]),
    ],
)
def test_failures_caused_by_input(error: BaseException) -> None:
    assert caused_by_input(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        SystemExit(),
        TimeoutError(),
        ConnectionResetError(),
        socket.gaierror(),
        OSError("disk full"),
        EOFError(),
        MemoryError(),
        ModuleNotFoundError(),
        httpx.ConnectError("x"),
        httpx.ReadTimeout("x"),
        RPCError("x", RPCStatusCode.UNAVAILABLE, b""),
        ApplicationError("chosen"),
        exc.TimeoutError("pool"),
        exc.StatementError("x", "SELECT 1", None, ConnectionResetError()),
        DayIsClosed(),
        TemporarilyUnavailable("Another transaction keeps this merchant locked."),
        raised_from(TemporarilyUnavailable()),
        exc.NoResultFound(),
        ServerUnresponsive("the server does not answer"),
        wrapped(ServerUnresponsive("the server does not answer")),
        exc.PendingRollbackError("x"),
        wrapped(psycopg.OperationalError("the server closed the connection")),
        wrapped(errors.AdminShutdown()),
        wrapped(errors.DeadlockDetected()),
        wrapped(errors.SerializationFailure()),
        wrapped(errors.LockNotAvailable()),
        wrapped(errors.QueryCanceled()),
        wrapped(errors.DiskFull()),
        wrapped(errors.TooManyConnections()),
        wrapped(errors.ReadOnlySqlTransaction()),
        wrapped(errors.UndefinedColumn()),
        wrapped(errors.InsufficientPrivilege()),
        wrapped(psycopg.InterfaceError("the connection is closed")),
        wrapped(errors.CheckViolation(), lost=True),
        raised_from(ConnectionResetError()),
        raised_from(raised_from(wrapped(errors.AdminShutdown()))),
        ExceptionGroup("x", [ValueError(), ConnectionResetError()]),
    ],
)
def test_failures_caused_by_infrastructure(error: BaseException) -> None:
    assert not caused_by_input(error)


def test_the_pause_grows_up_to_an_hour() -> None:
    assert [back_off(n).total_seconds() for n in (0, 1, 2, 5, 13)] == [0.5, 0.5, 1, 8, 2048]
    assert back_off(14) == back_off(10**9) == timedelta(hours=1)
