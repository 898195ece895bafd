"""What an error of the database means: the one table of SQLSTATE and outcome.

Every fault here is temporary. The API answers it with 503 and Retry-After, and nothing was
accepted; an activity fails with it and is tried again by its retry policy. An error that is not in
the table is a bug, and is answered with 500.
"""

from enum import Enum, auto
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Fault(Enum):
    """What is wrong, and so what becomes of the connection and of readiness."""

    BUSY = auto()
    """Another transaction or the server's load is in the way. The connection is kept."""
    LOST = auto()
    """The connection or its server is going away. The connection is closed, and the pool parts with
    all that are as old: they lead to the same server."""
    READ_ONLY = auto()
    """The server takes no writes, as a standby does and what was the primary before a failover. As
    LOST, and readiness says so: it asks the server."""
    FULL = auto()
    """The server has no room or cannot write it down. The connection is kept, because a new one
    meets the same; readiness says so for a few seconds, because it can be found by writing only."""


_BY_STATE: Final = {
    "25006": Fault.READ_ONLY,  # read_only_sql_transaction
    "25P03": Fault.LOST,  # idle_in_transaction_session_timeout: the server has ended it
    "25P04": Fault.LOST,  # transaction_timeout: likewise
    "40001": Fault.BUSY,  # serialization_failure, and a conflict with recovery
    "40003": Fault.LOST,  # statement_completion_unknown
    "40P01": Fault.BUSY,  # deadlock_detected
    "53000": Fault.BUSY,  # insufficient_resources
    "53100": Fault.FULL,  # disk_full
    "53200": Fault.LOST,  # out_of_memory: the backend may be what is too large
    "53300": Fault.BUSY,  # too_many_connections: there is none to close
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
"""Connection exceptions."""

_CLOSING: Final = frozenset({Fault.LOST, Fault.READ_ONLY})

LOCKED: Final = "55P03"
CANCELED: Final = "57014"


def state_of(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error of SQLAlchemy or of the driver, if it has one."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return original.sqlstate if isinstance(original, psycopg.Error) else None


def fault_of(error: BaseException) -> Fault | None:
    """Return what an error of SQLAlchemy or of the driver means; None for a bug of ours."""
    if isinstance(error, PoolTimeoutError):
        return Fault.BUSY
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, psycopg.Error):
        return None
    state = original.sqlstate
    if state is None:  # not the server's word but the driver's: no connection, or none any more
        told = isinstance(original, psycopg.OperationalError | psycopg.InterfaceError)
        return Fault.LOST if told else None
    fault = _BY_STATE.get(state) or _BY_CLASS.get(state[:2])
    if fault is None and isinstance(original, psycopg.OperationalError):
        return Fault.BUSY  # a server's trouble that nobody has named yet
    return fault


def closes(fault: Fault | None) -> bool:
    """Say whether a connection that met this is not to be used again."""
    return fault in _CLOSING


def is_lock_wait(error: BaseException) -> bool:
    """Say whether an error tells that a lock was waited for too long."""
    return state_of(error) in (LOCKED, CANCELED)
