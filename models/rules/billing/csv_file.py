"""Reads an operator's CSV file: returns all lines, or reports every invalid line. Pure."""

import csv
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from models.enums import Channel


class Line(Protocol):
    """One line of a file."""

    @property
    def number(self) -> int:
        """Line number in the file; the heading is line 1."""
        ...

    @property
    def identity(self) -> Hashable:
        """Key that must be unique in the file."""
        ...

    def clash_with(self, twin: "Line") -> str:
        """Return the error of this line, given an earlier one with the same identity."""
        ...


AnyLine = TypeVar("AnyLine", bound=Line)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """An invalid line, and why."""

    number: int
    reason: str


def read_lines(
    text: str,
    columns: Sequence[str],
    needed: frozenset[str],
    read: Callable[[int, Mapping[str, str]], AnyLine],
) -> tuple[list[AnyLine], list[BadLine]]:
    """Return the valid lines of a file and the errors of the others.

    `read` gets a line's number and its stripped cells by column. It raises ValueError for an
    invalid line; the text of the error continues the phrase "line 7".
    """
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(), strict=True)
    lines: list[AnyLine] = []
    bad: list[BadLine] = []
    seen: dict[Hashable, AnyLine] = {}
    try:
        wrong = _wrong_heading(reader.fieldnames or (), columns, needed)
        if wrong:
            return [], [BadLine(number=1, reason=wrong)]
        for number, row in _rows(reader):
            try:
                line = read(number, _cells(row))
                if (twin := seen.setdefault(line.identity, line)) is not line:
                    raise ValueError(line.clash_with(twin))
            except ValueError as error:
                bad.append(BadLine(number=number, reason=str(error)))
            else:
                lines.append(line)
    except csv.Error as error:
        bad.append(BadLine(number=reader.line_num, reason=f"is not CSV: {error}"))
    if not lines and not bad:
        bad.append(BadLine(number=1, reason="has no lines after it"))
    return lines, bad


def channel_of(given: str) -> Channel:
    """Return the channel of a cell; raises ValueError."""
    try:
        return Channel(given)
    except ValueError:
        raise ValueError(f"channel is none of {', '.join(Channel)}") from None


def moment(given: str, now: datetime) -> datetime:
    """Return the start of validity; `now` if it is in the past or missing. Raises ValueError."""
    if not given:
        return now
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError("validFrom is no ISO 8601 time with a time zone")
    return max(at, now)


def _wrong_heading(
    names: Sequence[str], columns: Sequence[str], needed: frozenset[str]
) -> str | None:
    given = [name.strip() for name in names]
    missing = [name for name in columns if name in needed and name not in given]
    unknown = [name for name in given if name not in columns]
    if missing:
        return f"does not name {', '.join(missing)}"
    if unknown:
        return f"names columns there are none of: {', '.join(unknown)}"
    return "names a column twice" if len(set(given)) < len(given) else None


def _rows(reader: "csv.DictReader[str]") -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield every line that is not empty, with its number."""
    for row in reader:
        cells = [cell for cell in row.values() if isinstance(cell, str)]
        if any(cell.strip() for cell in cells) or None in row:
            yield reader.line_num, row


def _cells(row: Mapping[str, str]) -> Mapping[str, str]:
    if None in row or None in row.values():
        raise ValueError("has more or fewer cells than the heading")
    return {name.strip(): cell.strip() for name, cell in row.items()}
