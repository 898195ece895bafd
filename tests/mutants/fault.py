"""One planted fault: where it goes, what it changes, and which tests must notice it."""

import ast
from dataclasses import dataclass
from pathlib import Path


class FaultDoesNotApply(Exception):
    """The place or the text of a fault is not in today's code exactly once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A wrong version of one function, class or constant."""

    file: str
    """Path below the root of the checkout."""
    place: str
    """`function`, `Class.method` or the name of a constant."""
    old: str
    """Text that the place contains exactly once."""
    new: str
    tests: str
    """Paths or ids of the tests that must notice it, separated by spaces."""

    @property
    def name(self) -> str:
        """File, place and text, for the table and for choosing it on the command line."""
        return f"{self.file}:{self.place} {' '.join(self.old.split())[:60]}"

    def planted_in(self, source: str) -> str:
        """Return the source with the fault.

        Raises:
            FaultDoesNotApply: place or text is missing or ambiguous, or the result is no Python.
        """
        lines = source.splitlines(keepends=True)
        first, last = _lines_of(source, self.place)
        found = "".join(lines[first:last])
        if self.old == self.new or found.count(self.old) != 1:
            raise FaultDoesNotApply(f"{self.name}: found {found.count(self.old)} times")
        changed = found.replace(self.old, self.new)
        faulty = "".join((*lines[:first], changed, *lines[last:]))
        try:
            ast.parse(faulty)
        except SyntaxError as error:
            raise FaultDoesNotApply(f"{self.name}: {error.msg}") from error
        return faulty

    def plant(self, root: Path) -> str:
        """Write the fault into a copy of the project; return the source that was there."""
        path = root / self.file
        source = path.read_text()
        path.write_text(self.planted_in(source))
        return source


def _lines_of(source: str, place: str) -> tuple[int, int]:
    """Return the half-open range of line indexes of a place, decorators included."""
    body: list[ast.stmt] = ast.parse(source).body
    found: list[ast.stmt] = []
    for name in place.split("."):
        found = [statement for statement in body if name in _names_of(statement)]
        if len(found) != 1:
            raise FaultDoesNotApply(f"{place}: defined {len(found)} times")
        body = getattr(found[0], "body", [])
    statement = found[0]
    decorators = getattr(statement, "decorator_list", [])
    first = min((statement, *decorators), key=lambda node: node.lineno).lineno
    assert statement.end_lineno is not None
    return first - 1, statement.end_lineno


def _names_of(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {statement.name}
        case ast.Assign():
            return {target.id for target in statement.targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()
