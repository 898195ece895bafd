"""Compiles SQL text for the driver once and caches the result.

Executing a `text()` through SQLAlchemy costs more than the driver's own part, and compiles to the
same SQL every time (decision 33).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import psycopg
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.engine import IteratorResult, Result
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError

Driver: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

_DIALECT: Final = PGDialectAsync_psycopg()  # type: ignore[no-untyped-call]

_MOST: Final = 1024
"""Size of the cache; our statements are constants, and fewer."""


@dataclass(frozen=True, slots=True)
class SqlText:
    """A compiled statement, and the converters of its parameters."""

    words: str
    writers: Mapping[str, Callable[[Any], Any]]

    async def execute(self, driver: Driver, parameters: Mapping[str, Any]) -> Result[Any]:
        """Execute it; raises the errors of SQLAlchemy, but never with the parameters in them."""
        values = parameters
        if self.writers:
            values = {**parameters, **self._written(parameters)}
        try:
            cursor = await driver.execute(self.words, values)
            answer = cursor.pgresult
            columns = 0 if answer is None else answer.nfields
            rows = await cursor.fetchall() if columns else []
        except psycopg.Error as error:
            raise _as_sqlalchemy(self.words, error, lost=driver.closed) from error
        # Without `cursor.description`, which makes an object of every column.
        names = tuple(map(answer.fname, range(columns))) if answer is not None else ()
        return IteratorResult(_names(names), iter(rows))

    def _written(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        named = self.writers.items()
        return {name: write(parameters[name]) for name, write in named if name in parameters}


@lru_cache(_MOST)
def sql_text(statement: TextClause) -> SqlText | None:
    """Return the compiled statement; None if a parameter has a default or is expanding."""
    compiled = statement.compile(dialect=_DIALECT)
    writers = {}
    for name, parameter in compiled.binds.items():
        if parameter.expanding or not parameter.required:
            return None
        writer = parameter.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
        if writer is not None:
            writers[name] = writer
    return SqlText(_without_indentation(str(compiled)), writers)


def _without_indentation(words: str) -> str:
    """Strip indentation: the driver caches its parsing only of statements up to 4,096 bytes."""
    lines = words.splitlines()
    if any(line.count("'") % 2 for line in lines):
        return words  # a literal may span lines
    return "\n".join(line.strip() for line in lines)


@lru_cache(_MOST)
def _names(names: tuple[bytes | None, ...]) -> SimpleResultMetaData:
    return SimpleResultMetaData([name.decode() for name in names if name is not None])


def _as_sqlalchemy(words: str, error: psycopg.Error, *, lost: bool) -> BaseException:
    return DBAPIError.instance(
        words,
        None,
        error,
        psycopg.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=_DIALECT,
    )
