"""Whether a step failed by its input or by infrastructure, and what follows. Pure."""

from datetime import timedelta
from typing import Final

from models.errors import TemporarilyUnavailable

MOST_FAILURES: Final = 5
"""Failures by its input after which a message that no provider has is given up."""

_BY_INPUT: Final = frozenset({"22", "23", "54"})
"""SQLSTATE classes that speak of a value: data, integrity, size of a row or an index entry."""

_BY_INPUT_NAMED: Final = frozenset({"DataError", "IntegrityError", "MultipleResultsFound"})
"""Without an SQLSTATE: found by the driver, such as NUL in a text, or rows that do not fit.
NoResultFound is none: a row was deleted meanwhile, and a retry does without it."""

PUBLIC_ID_CONSTRAINT: Final = "_public_id"
"""How the constraints end that keep public ids unique (`models.tables.base`). A row that draws a
taken one was refused by chance: tried again, it draws another."""

_INFRASTRUCTURE_LIBRARIES: Final = frozenset(
    {"asyncio", "anyio", "grpc", "httpcore", "httpx", "psycopg", "psycopg_pool", "sqlalchemy"}
    | {"ssl", "temporalio"}
)
"""Errors that these define speak of a connection, a pool, a server or a worker."""

_DATABASE: Final = frozenset({"psycopg", "sqlalchemy"})

_CAUSES_READ: Final = 10
_FIRST_BACK_OFF: Final = timedelta(milliseconds=500)
_LONGEST_EXPONENT: Final = 13
_LONGEST_BACK_OFF: Final = timedelta(hours=1)


class TransientError(Exception):
    """An error that no input causes: tried again a little later, it passes."""


_INFRASTRUCTURE: Final = (
    TransientError,
    TemporarilyUnavailable,
    OSError,
    TimeoutError,
    MemoryError,
    EOFError,
    ImportError,
)
"""Network, files, memory, an installation that is not whole, and a refusal by the transaction
limits of this process (`models/database/transaction_limits.py`)."""


def caused_by_input(error: BaseException) -> bool:
    """Say whether a step failed by what it worked on, so that it would fail every time.

    Infrastructure is what may be well again in a moment: database, network, Temporal, memory,
    cancellation and shutdown. An error that was raised from one of those is one as well, and so is
    a group that holds one. All else that is raised while working on a message is its input.
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
    """Return an error and what it was raised from."""
    causes = [error]
    while causes[-1].__cause__ is not None and len(causes) < _CAUSES_READ:
        causes.append(causes[-1].__cause__)
    return causes


def _by_database(error: BaseException) -> bool | None:
    """Judge an error of the database; None for another one."""
    if not _is_of(error, _DATABASE):
        return None
    if getattr(error, "connection_invalidated", False):
        return False
    original = getattr(error, "orig", None) or error
    if not _is_of(original, _DATABASE):
        return caused_by_input(original)  # raised while a parameter was written
    state = getattr(original, "sqlstate", None)
    if state:
        return str(state)[:2] in _BY_INPUT and not _by_chance(original)
    return type(error).__name__ in _BY_INPUT_NAMED


def _by_chance(error: BaseException) -> bool:
    """Say whether a row was refused because the random public id that it drew is taken."""
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    return str(constraint).endswith(PUBLIC_ID_CONSTRAINT)


def _is_of(error: BaseException, libraries: frozenset[str]) -> bool:
    """Say whether one of the libraries defines the error's class or a base of it."""
    return any(base.__module__.partition(".")[0] in libraries for base in type(error).__mro__)


def back_off(failures: int) -> timedelta:
    """Return how long to wait before a step is tried again that failed by its input so often."""
    growing = _FIRST_BACK_OFF * (1 << min(max(failures, 1) - 1, _LONGEST_EXPONENT))
    return min(growing, _LONGEST_BACK_OFF)
