"""Names of SQL statements: of their constants in `models.queries`, else of what they are for."""

import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final

from sqlalchemy import TextClause

from models import queries
from models.database.sql_text import sql_text

_PARAMETER: Final = re.compile(r"%\(\w+\)s|\$\d+")
_FOREIGN_KEY: Final = re.compile(r'^SELECT 1 FROM ONLY "public"\."(\w+)" x ')
_LONGEST: Final = 64


def name_of(statement: str) -> str:
    """Return the name of an executed statement."""
    known = _known().get(_comparable(statement))
    if known is not None:
        return known
    key = _FOREIGN_KEY.match(statement)
    if key is not None:
        return f"foreign key: {key[1]}"
    words = " ".join(statement.split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"


@cache
def _known() -> dict[str, str]:
    """Return the names of all statements that are constants of modules."""
    return {
        _comparable(words): name
        for module in pkgutil.walk_packages(queries.__path__, "models.queries.")
        if not module.ispkg
        for name, words in _statements(module.name)
    }


def _statements(module: str) -> Iterator[tuple[str, str]]:
    short = module.removeprefix("models.queries.")
    for name, value in vars(import_module(module)).items():
        parts: Iterator[tuple[str, Any]] = iter(
            [(f"[{key}]", part) for key, part in value.items()]
            if isinstance(value, dict)
            else [("", value)]
        )
        for suffix, part in parts:
            if isinstance(part, TextClause):
                compiled = sql_text(part)
                if compiled is not None:
                    yield f"{short}.{name}{suffix}", compiled.words


def _comparable(statement: str) -> str:
    """Return a statement without what differs between its text and its execution."""
    return " ".join(_PARAMETER.sub("?", statement).replace("%%", "%").split())
