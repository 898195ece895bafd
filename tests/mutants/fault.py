"""One planted fault: its place, the change, and the tests that must detect it."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent


class DoesNotApply(Exception):
    """The place of a fault does not exist any more, or the old text is not there exactly once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A change in one place that makes the product wrong.

    `place` is a function, a method (`Class.method`) or an assigned name of a module; within it
    `old` occurs exactly once. `tests` are pytest's arguments; at least one test must fail.
    """

    name: str
    path: str
    place: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self, source: str) -> str:
        """Return a file's text with the fault; raises DoesNotApply."""
        lines = source.splitlines(keepends=True)
        first, last = self._lines(source)
        segment = "".join(lines[first:last])
        if (times := segment.count(self.old)) != 1:
            raise DoesNotApply(f"{self.name}: {self.old!r} is {times} times in {self.place}")
        changed = segment.replace(self.old, self.new)
        return "".join([*lines[:first], changed, *lines[last:]])

    def _lines(self, source: str) -> tuple[int, int]:
        """Return the first and last line of the place."""
        scope: ast.AST = ast.parse(source)
        for name in self.place.split("."):
            found = [node for node in ast.iter_child_nodes(scope) if _is_called(node, name)]
            if len(found) != 1:
                raise DoesNotApply(
                    f"{self.name}: {self.place} is {len(found)} times in {self.path}"
                )
            scope = found[0]
        assert isinstance(scope, ast.stmt)
        assert scope.end_lineno is not None
        return scope.lineno - 1, scope.end_lineno


def _is_called(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    return (
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == name
    )
