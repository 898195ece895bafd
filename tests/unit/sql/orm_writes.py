"""Finds writes of a status through SQLAlchemy, by parsing Python code."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

TABLES: Final = frozenset({"Message", "Payment", "Brand", "Campaign", "MessagingNumber"})
"""Table classes whose status has a transition table."""

COLUMNS: Final = frozenset({"status", "state", "assignment"})


@dataclass(frozen=True, slots=True)
class OrmWrite:
    """A write: its function, line, and kind.

    `start` is the source text of a new row's status; None if the row exists.
    """

    function: str
    line: int
    start: str | None = None


def orm_writes(code: str) -> Iterator[OrmWrite]:
    """Return the places where a module may write a status."""
    yield from _found(ast.parse(code), "")


def _found(node: ast.AST, function: str) -> Iterator[OrmWrite]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            function = node.name
        case ast.Assign(targets=targets):
            yield from (OrmWrite(function, node.lineno) for t in targets if _is_status(t))
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            if _is_status(target):
                yield OrmWrite(function, node.lineno)
        case ast.Call():
            yield from _by_call(node, function)
    for child in ast.iter_child_nodes(node):
        yield from _found(child, function)


def _is_status(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple):
        return any(map(_is_status, target.elts))
    return isinstance(target, ast.Attribute) and target.attr in COLUMNS


def _by_call(call: ast.Call, function: str) -> Iterator[OrmWrite]:
    name = _name(call.func)
    if name in TABLES:
        yield OrmWrite(function, call.lineno, _start(call))
    elif name == "setattr" or (name == "update" and _about_a_table(call)):
        yield OrmWrite(function, call.lineno)
    elif name == "values" and _inserts(call):
        yield OrmWrite(function, call.lineno, _start(call))
    elif name == "on_conflict_do_update" and _inserts(call):
        yield OrmWrite(function, call.lineno)


def _about_a_table(call: ast.Call) -> bool:
    return any(_name(argument) in TABLES for argument in call.args)


def _inserts(call: ast.Call) -> bool:
    """Return whether a method chain begins with an INSERT into such a table."""
    return any(
        isinstance(node, ast.Call) and _name(node.func) == "insert" and _about_a_table(node)
        for node in ast.walk(call.func)
    )


def _start(call: ast.Call) -> str:
    """Return the literal status, if no `**values` can override it; `?` otherwise."""
    named = [ast.unparse(k.value) for k in call.keywords if k.arg in COLUMNS]
    return named[0] if len(named) == 1 else "?"


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
