"""Determines which transitions of a status a parsed statement can make."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from tests.unit.sql.literals import insertions
from tests.unit.sql.resolve import Flow, Origin, Resolver

Steps = Mapping[str, frozenset[str]]
"""Permitted successors of each status. The empty status is that of a row that does not exist
yet.
"""

_UNKNOWN: Final = object()
"""A value that the statement does not determine."""


@dataclass(frozen=True, slots=True)
class Write:
    """One assignment of a status: the node, the column, the value."""

    query: exp.Expr
    target: Origin
    alias: str
    value: exp.Expr
    where: exp.Expr | None
    creates: bool


def writes_in(tree: exp.Expr, resolver: Resolver, guarded: frozenset[Origin]) -> Iterator[Write]:
    """Return every write of a guarded column: by UPDATE, INSERT, or ON CONFLICT."""
    for update in tree.find_all(exp.Update):
        alias = update.this.alias_or_name
        yield from _assigned(update, update.this.name, alias, update, guarded)
    for insert in tree.find_all(exp.Insert):
        target = insert.this.this if isinstance(insert.this, exp.Schema) else insert.this
        for column, value in insertions(insert):
            origin = Origin(target.name, column.name)
            if origin in guarded:
                given = value or exp.Placeholder(this="unknown")
                yield Write(insert, origin, target.alias_or_name, given, None, creates=True)
        conflict = insert.args.get("conflict")
        if conflict is not None:
            yield from _assigned(insert, target.name, target.alias_or_name, conflict, guarded)


def _assigned(
    query: exp.Expr, table: str, alias: str, clause: exp.Expr, guarded: frozenset[Origin]
) -> Iterator[Write]:
    where = clause.args.get("where")
    for assignment in clause.expressions:
        for column, value in _columns_set(assignment):
            origin = Origin(table, column)
            if origin in guarded:
                condition = None if where is None else where.this
                yield Write(query, origin, alias, value, condition, creates=False)


def _columns_set(assignment: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
    left, right = assignment.this, assignment.expression
    if isinstance(left, exp.Tuple) or not isinstance(left, exp.Column):
        # SET (a, b) = (…): the values are not matched to columns
        for column in left.find_all(exp.Column, exp.Identifier):
            yield column.name, exp.Placeholder(this="unknown")
    else:
        yield left.name, right


def steps_of(write: Write, resolver: Resolver, words: frozenset[str]) -> set[tuple[str, str]]:
    """Return the transitions that the statement does not exclude; an unchanged status is none.

    Each possible status of the row is combined with each value of a parameter: the condition must
    not be false for it. Undetermined values could be anything.
    """
    if write.creates:
        return {("", word) for word in _possible(resolver.flow(write.value), words)}
    parameters = resolver.flow(write.value).parameters
    found = set()
    for before in words:
        for given in words if parameters else [""]:
            known = _Known(write, resolver, before, dict.fromkeys(parameters, given))
            if write.where is None or known.value(write.where) is not False:
                after = known.value(write.value)
                possible = words if after is _UNKNOWN else {str(after)}
                found |= {(before, word) for word in possible if word != before}
    return found


def _possible(flow: Flow, words: frozenset[str]) -> frozenset[str]:
    known = flow.literals and not flow.parameters and not flow.origins
    return flow.literals if known else words


@dataclass(frozen=True, slots=True)
class _Known:
    """Values known while one transition is tried: the row's status, and the parameters."""

    write: Write
    resolver: Resolver
    before: str
    parameters: Mapping[str, str]

    def value(self, node: exp.Expr) -> object:
        """Return the value of an expression: a string, True, False, None for NULL, or _UNKNOWN."""
        match node:
            case exp.Literal() if node.is_string:
                return node.name
            case exp.Boolean():
                return bool(node.this)
            case exp.Placeholder():
                return self.parameters.get(node.name, _UNKNOWN)
            case exp.Paren() | exp.Cast():
                return self.value(node.this)
            case exp.Column():
                return self._column(node)
            case exp.Case():
                return self._case(node)
        return self._condition(node)

    def _condition(self, node: exp.Expr) -> object:
        match node:
            case exp.And():
                return self._both(node.this, node.expression, decided=False)
            case exp.Or():
                return self._both(node.this, node.expression, decided=True)
            case exp.Not():
                inner = self.value(node.this)
                return _UNKNOWN if inner is _UNKNOWN else not inner
            case exp.EQ():
                return self._equal(node.this, node.expression)
            case exp.NEQ():
                equal = self._equal(node.this, node.expression)
                return _UNKNOWN if equal is _UNKNOWN else not equal
            case exp.In() if node.expressions:
                return self._among(node)
        return _UNKNOWN

    def _both(self, left: exp.Expr, right: exp.Expr, *, decided: bool) -> object:
        values = self.value(left), self.value(right)
        if decided in values:
            return decided
        return _UNKNOWN if _UNKNOWN in values else not decided

    def _equal(self, left: exp.Expr, right: exp.Expr) -> object:
        if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            pairs = zip(left.expressions, right.expressions, strict=True)
            equal = [self._equal(*pair) for pair in pairs]
            return False if False in equal else _UNKNOWN if _UNKNOWN in equal else True
        values = self.value(left), self.value(right)
        return _UNKNOWN if _UNKNOWN in values else values[0] == values[1]

    def _among(self, node: exp.In) -> object:
        equal = [self._equal(node.this, listed) for listed in node.expressions]
        return True if True in equal else _UNKNOWN if _UNKNOWN in equal else False

    def _case(self, node: exp.Case) -> object:
        for branch in node.args["ifs"]:
            holds = (
                self.value(branch.this)
                if node.this is None
                else self._equal(node.this, branch.this)
            )
            if holds is _UNKNOWN:
                return _UNKNOWN
            if holds:
                return self.value(branch.args["true"])
        default = node.args.get("default")
        return None if default is None else self.value(default)

    def _column(self, node: exp.Column) -> object:
        """Return the row's status if the column belongs to the updated row."""
        source = self.resolver.source_of(node)
        target = self.write.target
        own = (
            source is not None
            and source.table == target.table
            and source.alias == self.write.alias
            and node.name == target.column
            and node.find_ancestor(exp.Select, exp.Update, exp.Insert) is self.write.query
        )
        return self.before if own else _UNKNOWN
