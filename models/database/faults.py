"""Maps SQLSTATE codes to outcomes.

Every fault in the table is temporary. The API answers it with 503 and Retry-After; an activity
fails with a retryable error. An error that is not in the table is a bug and is answered with 500.
"""

from enum import Enum, auto
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.rules.system.failures import PUBLIC_ID_CONSTRAINT


class Fault(Enum):
    """Kinds of temporary faults; each decides about the connection and about readiness."""

    BUSY = auto()
    """Lock conflict, timeout or lack of resources. The connection is kept."""
    LOST = auto()
    """The connection or its server is going away. The connection is closed, and the pool discards
    all connections that are as old, because they lead to the same server."""
    ENDED = auto()
    """This connection's backend ended or is out of memory; the server and all others are fine. Only
    this connection is closed.
    """
    READ_ONLY = auto()
    """The server accepts no writes: a standby, or the former primary after a failover. Handled as
    LOST. Readiness finds out by asking the server."""
    FULL = auto()
    """No disk space, or an I/O error. The connection is kept, because a new one fails the same way.
    Only a write detects it, so readiness reports it for a few seconds after the last one."""


_BY_STATE: Final = {
    "25006": Fault.READ_ONLY,  # read_only_sql_transaction
    "25P03": Fault.ENDED,  # idle_in_transaction_session_timeout: the server has ended it
    "25P04": Fault.ENDED,  # transaction_timeout: likewise
    "40001": Fault.BUSY,  # serialization_failure, and a conflict with recovery
    "40003": Fault.LOST,  # statement_completion_unknown
    "40P01": Fault.BUSY,  # deadlock_detected
    "53000": Fault.BUSY,  # insufficient_resources
    "53100": Fault.FULL,  # disk_full
    "53200": Fault.ENDED,  # the backend itself may be too large
    "53300": Fault.BUSY,  # there is no connection to close
    "53400": Fault.BUSY,  # configuration_limit_exceeded: temporary files, for example
    "55006": Fault.BUSY,  # object_in_use
    "55P03": Fault.BUSY,  # lock_not_available: lock_timeout
    "57014": Fault.BUSY,  # query_canceled: statement_timeout
    "57P01": Fault.LOST,  # admin_shutdown
    "57P02": Fault.LOST,  # crash_shutdown
    "57P03": Fault.LOST,  # cannot_connect_now: starting up, shutting down or in recovery
    "57P04": Fault.LOST,  # database_dropped
    "57P05": Fault.LOST,  # idle_session_timeout
    "58000": Fault.FULL,  # system_error
    "58030": Fault.FULL,  # io_error
}

_BY_CLASS: Final = {"08": Fault.LOST}
"""Class 08: connection exceptions."""

_CLOSING: Final = frozenset({Fault.LOST, Fault.ENDED, Fault.READ_ONLY})

_OF_THE_SERVER: Final = frozenset({Fault.LOST, Fault.READ_ONLY, Fault.FULL})

LOCKED: Final = "55P03"


def state_of(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error of SQLAlchemy or of the driver; None if it has none."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return original.sqlstate if isinstance(original, psycopg.Error) else None


def public_id_taken(error: BaseException) -> bool:
    """Return whether a row was rejected because its random public id is taken.

    Nothing was written: a retry of the whole transaction draws another id.
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, psycopg.errors.UniqueViolation):
        return False
    return (original.diag.constraint_name or "").endswith(PUBLIC_ID_CONSTRAINT)


def fault_of(error: BaseException) -> Fault | None:
    """Return the fault of an error of SQLAlchemy or of the driver; None for a bug in our code."""
    if isinstance(error, PoolTimeoutError):
        return Fault.BUSY
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, psycopg.Error):
        return None
    state = original.sqlstate
    if state is None:  # raised by the driver, not the server: there is no connection
        told = isinstance(original, psycopg.OperationalError | psycopg.InterfaceError)
        return Fault.LOST if told else None
    if public_id_taken(original):
        return Fault.BUSY
    fault = _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
    if fault is None and isinstance(original, psycopg.OperationalError):
        return Fault.BUSY  # a server error that is missing in the table
    return fault


def closes(fault: Fault | None) -> bool:
    """Return whether a connection must be closed after this fault."""
    return fault in _CLOSING


def concerns_everybody(error: BaseException) -> bool:
    """Return whether the server or the pool is at fault, not just one transaction."""
    return isinstance(error, PoolTimeoutError) or fault_of(error) in _OF_THE_SERVER
