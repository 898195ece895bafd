"""Checks names and literals of parsed statements against tables and the enums of their columns."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

import sqlglot
from sqlalchemy import CheckConstraint, MetaData
from sqlglot import exp

from tests.unit.sql.resolve import Flow, Origin, Resolver, UnknownColumn, UnknownTable

Enums = Mapping[Origin, frozenset[str]]
"""The permitted literals of a column."""


def columns_of(metadata: MetaData) -> dict[str, frozenset[str]]:
    """Return the columns of each table."""
    return {t.name: frozenset(c.name for c in t.columns) for t in metadata.tables.values()}


def enums_of(metadata: MetaData) -> dict[Origin, frozenset[str]]:
    """Return the enum values of columns, from the CHECK constraints of `one_of`."""
    found = {}
    for table in metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, CheckConstraint):
                read = _one_of(str(constraint.sqltext))
                if read is not None:
                    found[Origin(table.name, read[0])] = read[1]
    return found


def _one_of(condition: str) -> tuple[str, frozenset[str]] | None:
    tree = sqlglot.parse_one(condition, read="postgres")
    if isinstance(tree, exp.Or):
        tree = tree.expression if isinstance(tree.this, exp.Is) else tree
    if not isinstance(tree, exp.In) or not isinstance(tree.this, exp.Column):
        return None
    return tree.this.name, frozenset(literal.name for literal in tree.expressions)


@dataclass(frozen=True, slots=True)
class Checker:
    """Finds invalid names and literals of a statement."""

    resolver: Resolver
    enums: Enums

    def faults(self, tree: exp.Expr) -> Iterator[str]:
        """Return each error: unknown table, unknown column, or a literal that is not in the
        enum.
        """
        yield from self._names(tree)
        flows = list(self._flows(tree))
        parameters = self._guards_of_parameters(flows)
        for one, other in flows:
            for ours, theirs in ((one, other), (other, one)):
                guards = ours.origins.union(*(parameters.get(p, ()) for p in ours.parameters))
                yield from self._literals(guards, theirs.literals)

    def _flows(self, tree: exp.Expr) -> Iterator[tuple[Flow, Flow]]:
        for left, right in _pairs(tree):
            try:
                yield self.resolver.flow(left), self.resolver.flow(right)
            except (UnknownColumn, UnknownTable):
                continue  # `_names` reports it

    def _guards_of_parameters(self, flows: list[tuple[Flow, Flow]]) -> dict[str, set[Origin]]:
        """Return the columns that each parameter is compared with or assigned to."""
        found: dict[str, set[Origin]] = {}
        for one, other in (*flows, *((other, one) for one, other in flows)):
            for parameter in other.parameters:
                found.setdefault(parameter, set()).update(one.origins)
        return found

    def _literals(self, guards: Iterable[Origin], literals: frozenset[str]) -> Iterator[str]:
        for guard in sorted(guards, key=str):
            for literal in sorted(literals - self.enums.get(guard, literals)):
                yield f"{guard} is never '{literal}'"

    def _names(self, tree: exp.Expr) -> Iterator[str]:
        for query in tree.find_all(exp.Select, exp.Update, exp.Insert, exp.Delete):
            try:
                list(self.resolver.sources(query))
            except UnknownTable as fault:
                yield f"no table {fault}"
            except UnknownColumn as fault:
                yield f"no column {fault}"
        for column in _columns(tree):
            try:
                self.resolver.source_of(column)
            except UnknownColumn as fault:
                yield f"no column {fault}"
            except UnknownTable:
                continue


def _columns(tree: exp.Expr) -> Iterator[exp.Column]:
    for column in tree.find_all(exp.Column):
        if not isinstance(column.this, exp.Star) and column.find_ancestor(exp.Set) is None:
            yield column
    for insert in tree.find_all(exp.Insert):
        yield from (target for target, _ in insertions(insert))


def insertions(insert: exp.Insert) -> Iterator[tuple[exp.Column, exp.Expr | None]]:
    """Return the columns that an INSERT fills, with their values."""
    if not isinstance(insert.this, exp.Schema):
        return
    table = insert.this.this.alias_or_name
    given = insert.expression
    rows: list[list[exp.Expr]] = []
    if isinstance(given, exp.Values):
        rows = [row.expressions for row in given.expressions]
    elif isinstance(given, exp.Select):
        rows = [given.expressions]
    for row in rows or [[]]:
        for name, value in zip_longest(insert.this.expressions, row):
            column = exp.column(name.name, table=table)
            column.parent = insert
            yield column, value


def _pairs(tree: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """Yield each pair of expressions that are compared or assigned."""
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ):
        yield from _parts(node.this, node.expression)
    for among in tree.find_all(exp.In):
        for listed in among.expressions:
            yield from _parts(among.this, listed)
        query = among.args.get("query")
        if query is not None:
            yield among.this, query
    for case in tree.find_all(exp.Case):
        if case.this is not None:
            yield from ((case.this, branch.this) for branch in case.args["ifs"])
    for insert in tree.find_all(exp.Insert):
        yield from ((column, value) for column, value in insertions(insert) if value is not None)


def _parts(left: exp.Expr, right: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
        yield from zip(left.expressions, right.expressions, strict=True)
    else:
        yield left, right
