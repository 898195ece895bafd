"""Finds every SQL statement in text form, and parses it."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

import sqlglot
from sqlalchemy import TextClause
from sqlglot import exp

PACKAGES: Final = ("models", "api", "activities", "cli")
_NOT_READ: Final = ("models.tables", "models.migrations")
"""Conditions of indexes, and the schema: the database checks them when it is created."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, with its name in its module."""

    name: str
    words: str

    @property
    def tree(self) -> exp.Expr:
        """The parsed statement; statements without a query give a Command."""
        return parse(self.words)

    def __str__(self) -> str:
        return self.name


@cache
def parse(words: str) -> exp.Expr:
    """Parse one statement of PostgreSQL; raises ParseError."""
    # sqlglot parses the rest of such a statement only without this clause.
    plain = words.replace(" ON COMMIT DROP", "")
    return sqlglot.parse_one(plain, read="postgres")


@cache
def modules() -> tuple[ModuleType, ...]:
    """Import every module that may hold a statement."""
    found = []
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(_NOT_READ) and not module.name.endswith("__main__"):
                found.append(importlib.import_module(module.name))
    return tuple(found)


def texts_in(module: ModuleType) -> Iterator[tuple[str, TextClause]]:
    """Return the statements of a module, single or in a mapping."""
    for name, value in vars(module).items():
        if isinstance(value, TextClause):
            yield name, value
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                if isinstance(inner, TextClause):
                    yield f"{name}[{key}]", inner


@cache
def statements() -> tuple[Statement, ...]:
    """Return every statement once, even if several modules import it."""
    found = {
        id(clause): Statement(f"{module.__name__}.{name}", str(clause))
        for module in modules()
        for name, clause in texts_in(module)
    }
    return tuple(sorted(found.values(), key=lambda statement: statement.name))


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `text`: its line, and the enclosing function or the assigned name."""

    name: str
    line: int


def calls_of_text(module: ModuleType) -> Iterator[Call]:
    """Return the places where a module creates statements."""
    yield from _calls(ast.parse(Path(module.__file__ or "").read_text()), "")


def _calls(node: ast.AST, name: str) -> Iterator[Call]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            name = node.name
        case ast.Assign(targets=[ast.Name(id=target)]) | ast.AnnAssign(target=ast.Name(id=target)):
            name = name or target  # within a function, the function's name
        case ast.Call(func=ast.Name(id="text") | ast.Attribute(attr="text")):
            yield Call(name, node.lineno)
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, name)
