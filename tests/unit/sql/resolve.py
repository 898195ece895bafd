"""Resolves the columns of a parsed statement to columns of tables or expressions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

Columns = Mapping[str, frozenset[str]]
"""The names of the columns of each table."""

_QUERIES = (exp.Select, exp.Update, exp.Insert, exp.Delete)


@dataclass(frozen=True, slots=True)
class Origin:
    """A column of a table."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True, slots=True)
class Flow:
    """Possible values of an expression: columns of tables, literals, parameters; others are
    unknown.
    """

    origins: frozenset[Origin] = frozenset()
    literals: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()

    def __or__(self, other: "Flow") -> "Flow":
        return Flow(
            self.origins | other.origins,
            self.literals | other.literals,
            self.parameters | other.parameters,
        )


class UnknownColumn(Exception):
    """No table or query in scope has such a column."""


class UnknownTable(Exception):
    """There is no such table."""


@dataclass(frozen=True, slots=True)
class Source:
    """An item of FROM: a table, or outputs by name; the columns of an `opaque` one are unknown."""

    alias: str
    table: str | None = None
    outputs: Mapping[str, tuple[exp.Expr, ...]] = field(default_factory=dict)
    opaque: bool = False

    def has(self, column: str, columns: Columns) -> bool:
        """Return whether it certainly has the column."""
        return column in (self.outputs if self.table is None else columns[self.table])


class Resolver:
    """Resolves the columns of statements against the tables of a schema."""

    def __init__(self, columns: Columns, opaque_tables: frozenset[str] = frozenset()) -> None:
        self._columns = columns
        self._opaque = opaque_tables

    def flow(self, node: exp.Expr | None, seen: frozenset[int] = frozenset()) -> Flow:
        """Return the possible values of an expression.

        Raises:
            UnknownColumn, UnknownTable: it references what does not exist.
        """
        match node:
            case exp.Literal() if node.is_string:
                return Flow(literals=frozenset({node.name}))
            case exp.Placeholder():
                return Flow(parameters=frozenset({node.name}))
        if node is None or id(node) in seen:
            return Flow()
        return self._inner(node, seen | {id(node)})

    def _inner(self, node: exp.Expr, seen: frozenset[int]) -> Flow:
        match node:
            case exp.Column():
                return self._column(node, seen)
            case exp.Select() | exp.SetOperation():
                return self._union(next(iter(self.outputs(node).values()), ()), seen)
            case exp.Case():
                ends = [branch.args["true"] for branch in node.args["ifs"]]
                return self._union([*ends, node.args.get("default")], seen)
            case exp.Coalesce() | exp.Array() | exp.Greatest() | exp.Least():
                return self._union([node.this, *node.expressions], seen)
            case (
                exp.Cast()
                | exp.Paren()
                | exp.Subquery()
                | exp.Alias()
                | exp.Any()
                | exp.Min()
                | exp.Max()
            ):
                return self.flow(node.this, seen)
        return Flow()

    def _union(self, nodes: Iterable[exp.Expr | None], seen: frozenset[int]) -> Flow:
        found = Flow()
        for node in nodes:
            found |= self.flow(node, seen)
        return found

    def _column(self, column: exp.Column, seen: frozenset[int]) -> Flow:
        source = self.source_of(column)
        if source is None or source.opaque:
            return Flow()
        if source.table is not None:
            return Flow(origins=frozenset({Origin(source.table, column.name)}))
        return self._union(source.outputs.get(column.name, ()), seen)

    def source_of(self, column: exp.Column) -> Source | None:
        """Return the source of a column; None if it is not a column of a source.

        Raises:
            UnknownColumn: nothing in scope has it.
        """
        opaque: Source | None = None
        for query in _queries_around(column):
            named = False
            for source in self.sources(query):
                named = named or source.alias == (column.table or column.name)
                if column.table and source.alias != column.table:
                    continue
                if source.has(column.name, self._columns):
                    return source
                opaque = opaque or (source if source.opaque else None)
            if named and column.table:
                break
            if not column.table and (named or _names_an_output(query, column.name)):
                return None  # a whole row, or an output in ORDER BY
        if opaque is None:
            raise UnknownColumn(column.sql(dialect="postgres"))
        return opaque

    def sources(self, query: exp.Expr) -> Iterator[Source]:
        """Return the sources and targets of a query, by alias.

        Raises:
            UnknownTable: there is no such table.
        """
        if isinstance(query, exp.Insert):
            target = query.this.this if isinstance(query.this, exp.Schema) else query.this
            yield from self._source(target)
            for alias in ("excluded", "old", "new"):
                yield Source(alias, table=target.name)
            return
        if isinstance(query, exp.Update | exp.Delete):
            yield from self._source(query.this)
        start = query.args.get("from_")
        others = [] if start is None else [start.this]
        others += [join.this for join in query.args.get("joins") or ()]
        others += query.args.get("laterals") or ()
        for node in others:
            yield from self._source(node)

    def _source(self, node: exp.Expr) -> Iterator[Source]:
        alias = node.alias_or_name
        names = [name.name for name in getattr(node.args.get("alias"), "columns", ())]
        match node:
            case exp.Table(this=exp.Identifier()):
                yield self._table(node, alias)
            case exp.Subquery():
                yield self._derived(node.this, alias, names)
            case exp.Lateral(this=exp.Subquery()):
                yield self._derived(node.this.this, alias, names)
            case exp.Values():
                rows = [row.expressions for row in node.expressions]
                yield Source(alias, outputs=dict(zip(names, zip(*rows, strict=True), strict=True)))
            case _:
                yield Source(alias, opaque=True)
        for join in node.args.get("joins") or ():
            yield from self._source(join.this)

    def _table(self, node: exp.Table, alias: str) -> Source:
        part = _part_named(node)
        if part is not None:
            names = [name.name for name in part.args["alias"].columns]
            return self._derived(part.this, alias, names)
        if node.db or node.name in self._opaque:
            return Source(alias, opaque=True)
        if node.name not in self._columns:
            raise UnknownTable(node.name)
        return Source(alias, table=node.name)

    def _derived(self, query: exp.Expr, alias: str, names: list[str]) -> Source:
        outputs = self.outputs(query)
        if names:
            outputs = dict(zip(names, outputs.values(), strict=False))
        return Source(alias, outputs=outputs, opaque=any(name.startswith("?") for name in outputs))

    def outputs(self, query: exp.Expr) -> Mapping[str, tuple[exp.Expr, ...]]:
        """Return the outputs of a query in order; `?1` is one without a name."""
        if isinstance(query, exp.Subquery | exp.Paren):
            return self.outputs(query.this)
        if isinstance(query, exp.SetOperation):
            # The recursive part of a query reads the first part: its outputs are not followed.
            left = self.outputs(query.left)
            right = query.right
            if not isinstance(right, exp.Select) or any(
                e.is_star or isinstance(e, exp.Star) for e in right.expressions
            ):
                return left
            both = zip(left.items(), self.outputs(right).values(), strict=True)
            return {name: (*nodes, *more) for (name, nodes), more in both}
        if isinstance(query, exp.Select):
            listed = query.expressions
        else:
            returning = query.args.get("returning")
            listed = [] if returning is None else returning.expressions
        found: dict[str, tuple[exp.Expr, ...]] = {}
        for place, node in enumerate(listed):
            if isinstance(node, exp.Star) or node.is_star:
                found |= self._starred(query, node)
            else:
                found[node.output_name or f"?{place}"] = (node,)
        return found

    def _starred(self, query: exp.Expr, star: exp.Expr) -> dict[str, tuple[exp.Expr, ...]]:
        found: dict[str, tuple[exp.Expr, ...]] = {}
        wanted = star.text("table")
        for source in self.sources(query):
            if wanted and source.alias != wanted:
                continue
            if source.table is not None:
                names = sorted(self._columns[source.table])
                found |= {name: (_column_of(query, source.alias, name),) for name in names}
            else:
                found |= source.outputs
                if source.opaque:
                    found["?star"] = ()
            if isinstance(query, exp.Insert):
                break
        return found


def _column_of(query: exp.Expr, alias: str, name: str) -> exp.Column:
    column = exp.column(name, table=alias)
    column.parent = query
    return column


def _queries_around(node: exp.Expr) -> Iterator[exp.Expr]:
    current = node.parent
    while current is not None:
        if isinstance(current, _QUERIES):
            yield current
        current = current.parent


def _part_named(table: exp.Table) -> exp.CTE | None:
    """Return the CTE that a table name refers to, if any."""
    current = table.parent
    while current is not None:
        parts = current.args.get("with_")
        for part in parts.expressions if parts is not None else ():
            if part.alias == table.name and not table.db:
                return part  # type: ignore[no-any-return]
        current = current.parent
    return None


def _names_an_output(query: exp.Expr, name: str) -> bool:
    return isinstance(query, exp.Select) and any(e.alias == name for e in query.expressions)
