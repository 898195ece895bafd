"""Classifies failures of a step as caused by its input or by infrastructure. Pure."""

from datetime import timedelta
from typing import Final

from models.errors import TemporarilyUnavailable

MOST_FAILURES: Final = 5
"""A message that no provider has is given up after this many failures caused by its input."""

_BY_INPUT: Final = frozenset({"22", "23", "54"})
"""SQLSTATE classes caused by values: data, integrity, size of a row or an index entry."""

_BY_INPUT_NAMED: Final = frozenset({"DataError", "IntegrityError", "MultipleResultsFound"})
"""Error classes without an SQLSTATE: found by the driver, such as NUL in a text, or an unexpected
number of rows. NoResultFound is not included: the row was deleted meanwhile, and a retry succeeds.
"""

PUBLIC_ID_CONSTRAINT: Final = "_public_id"
"""Suffix of the constraints that keep public ids unique (`models.tables.base`). A row with a taken
random id was rejected by chance: a retry draws another one.
"""

_INFRASTRUCTURE_LIBRARIES: Final = frozenset(
    {"asyncio", "anyio", "grpc", "httpcore", "httpx", "psycopg", "psycopg_pool", "sqlalchemy"}
    | {"ssl", "temporalio"}
)
"""Errors defined by these concern a connection, a pool, a server or a worker."""

_DATABASE: Final = frozenset({"psycopg", "sqlalchemy"})

_CAUSES_READ: Final = 10
_FIRST_BACK_OFF: Final = timedelta(milliseconds=500)
_LONGEST_EXPONENT: Final = 13
_LONGEST_BACK_OFF: Final = timedelta(hours=1)


class TransientError(Exception):
    """An error not caused by input; a later retry succeeds."""


_INFRASTRUCTURE: Final = (
    TransientError,
    TemporarilyUnavailable,
    OSError,
    TimeoutError,
    MemoryError,
    EOFError,
    ImportError,
)
"""Network, files, memory, an incomplete installation, and a refusal by the transaction limits of
this process (`models/database/transaction_limits.py`).
"""


def caused_by_input(error: BaseException) -> bool:
    """Return whether a step failed because of its input, so that every retry would fail.

    Errors of infrastructure are temporary: database, network, Temporal, memory, cancellation and
    shutdown. An error raised from one of those counts as one, and so does a group that contains
    one. Every other error raised while processing a message is caused by its input.
    """
    if not isinstance(error, Exception):
        return False  # cancellation, shutdown
    if isinstance(error, ExceptionGroup):
        return all(caused_by_input(part) for part in error.exceptions)
    for cause in _causes(error):
        by_database = _by_database(cause)
        if by_database is not None:
            return by_database
        if isinstance(cause, _INFRASTRUCTURE) or _is_of(cause, _INFRASTRUCTURE_LIBRARIES):
            return False
    return True


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and its chain of causes."""
    causes = [error]
    while causes[-1].__cause__ is not None and len(causes) < _CAUSES_READ:
        causes.append(causes[-1].__cause__)
    return causes


def _by_database(error: BaseException) -> bool | None:
    """Classify a database error; None for other errors."""
    if not _is_of(error, _DATABASE):
        return None
    if getattr(error, "connection_invalidated", False):
        return False
    original = getattr(error, "orig", None) or error
    if not _is_of(original, _DATABASE):
        return caused_by_input(original)  # raised while a parameter was converted
    state = getattr(original, "sqlstate", None)
    if state:
        return str(state)[:2] in _BY_INPUT and not _by_chance(original)
    return type(error).__name__ in _BY_INPUT_NAMED


def _by_chance(error: BaseException) -> bool:
    """Return whether a row was rejected because its random public id is taken."""
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    return str(constraint).endswith(PUBLIC_ID_CONSTRAINT)


def _is_of(error: BaseException, libraries: frozenset[str]) -> bool:
    """Return whether one of the libraries defines the error's class or a base of it."""
    return any(base.__module__.partition(".")[0] in libraries for base in type(error).__mro__)


def back_off(failures: int) -> timedelta:
    """Return the wait before a retry after this many failures caused by the input."""
    growing = _FIRST_BACK_OFF * (1 << min(max(failures, 1) - 1, _LONGEST_EXPONENT))
    return min(growing, _LONGEST_BACK_OFF)
