"""A provider's invoice as CSV: read line by line, whatever its size; a doubtful line is refused."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from models.queries.billing.invoices import InvoiceLine

_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "id": ("messageid", "id", "sid", "reference"),
    "units": ("units", "segments", "numsegments"),
    "cost": ("cost", "price", "amount"),
    "carrier fee": ("carrierfee", "carrierfees"),
    "day": ("day", "date"),
}
"""What a column may be called, without case, spaces, dashes and underscores."""

_NEEDED: Final = ("id", "units", "cost")
_UNITS: Final = re.compile(r"\d{1,9}(\.0+)?", re.ASCII)
_LARGEST: Final = Decimal(10) ** 11
_LONGEST_ID: Final = 255


class UnusableInvoice(Exception):
    """The file is no invoice we can read; the message says where and why."""


def read_invoice(path: Path) -> Iterator[InvoiceLine]:
    """Yield the lines of an invoice; raises UnusableInvoice at the first that is doubtful."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            columns = _columns(next(rows, []))
            for row in rows:
                if row:
                    yield _line(row, columns, rows.line_num)
    except OSError as error:
        raise UnusableInvoice(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UnusableInvoice(f"{path} is not UTF-8.") from error
    except csv.Error as error:
        raise UnusableInvoice(f"{path} is not CSV: {error}.") from error


def _columns(header: Sequence[str]) -> Mapping[str, int]:
    """Return where each column is that we know."""
    plain = [re.sub(r"[\s_-]", "", name).lower() for name in header]
    found = {
        meaning: plain.index(name)
        for meaning, names in _NAMES.items()
        for name in reversed(names)
        if name in plain
    }
    missing = [meaning for meaning in _NEEDED if meaning not in found]
    if missing:
        missing_names = ", ".join(
            f"{meaning} ({' or '.join(_NAMES[meaning])})" for meaning in missing
        )
        raise UnusableInvoice(f"The first line names no column for {missing_names}.")
    return found


def _line(row: Sequence[str], columns: Mapping[str, int], number: int) -> InvoiceLine:
    try:
        cells = {meaning: row[index].strip() for meaning, index in columns.items()}
        return InvoiceLine(
            id=_id(cells["id"]),
            units=_units(cells["units"]),
            cost=_amount(cells["cost"]) + _amount(cells.get("carrier fee") or "0"),
            day=_day(cells.get("day", "")),
        )
    except IndexError as error:
        raise UnusableInvoice(f"Line {number} has too few cells.") from error
    except (ValueError, InvalidOperation) as error:
        raise UnusableInvoice(f"Line {number}: {error}.") from error


def _id(given: str) -> str:
    if not given or len(given) > _LONGEST_ID or not given.isprintable():
        raise ValueError(f"the message id is empty, or no more than {_LONGEST_ID} characters fit")
    return given


def _units(given: str) -> int:
    if not _UNITS.fullmatch(given):
        raise ValueError("units is not a whole number")
    return int(given.partition(".")[0])


def _amount(given: str) -> Decimal:
    try:
        amount = Decimal(given)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) >= _LARGEST:
        raise ValueError("cost is not a number such as 0.0079")
    return amount


def _day(given: str) -> date | None:
    """Return the day of a date or time; None if there is none."""
    return date.fromisoformat(given[:10]) if given else None
