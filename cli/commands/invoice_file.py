"""Reads a provider's invoice as CSV, line by line; an ambiguous line is an error."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from models.queries.billing.invoices import InvoiceLine

_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "id": ("messageid", "id", "sid", "reference"),
    "units": ("units", "segments", "numsegments"),
    "cost": ("cost", "price", "amount"),
    "carrier fee": ("carrierfee", "carrierfees"),
    "day": ("day", "date", "sentdate", "datesent"),
    "currency": ("currency", "priceunit"),
    "direction": ("direction",),
}
"""Accepted names of columns, without case, spaces, dashes and underscores."""

_TWILIO_LOG: Final = frozenset({"sid", "numsegments", "price", "priceunit"})
"""Columns of Twilio's message log, which has negative prices and includes inbound texts."""

_NEEDED: Final = ("id", "units", "cost")
_UNITS: Final = re.compile(r"\d{1,9}(\.0+)?", re.ASCII)
_AMOUNT: Final = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})([Ee][+-]?\d{1,2})?", re.ASCII)
_TIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,6})?)?)?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?",
    re.ASCII,
)
"""A day, or a time with an optional zone."""
_MAIL_TIME: Final = re.compile(
    r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}", re.ASCII
)
"""A time in the format of Twilio's API (RFC 2822)."""
_LARGEST: Final = Decimal(10) ** 11
_LONGEST_ID: Final = 255


class UnusableInvoice(Exception):
    """The file cannot be read as an invoice; the message states the line and the reason."""


def read_invoice(path: Path) -> Iterator[InvoiceLine]:
    """Yield the lines of an invoice; raises UnusableInvoice at the first ambiguous one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [re.sub(r"[\s_-]", "", name).lower() for name in next(rows, [])]
            columns = _columns(header)
            from_log = _TWILIO_LOG.issubset(header)
            for row in rows:
                cells = _cells(row, columns, len(header), rows.line_num)
                if cells and not (from_log and _bills_nothing(cells)):
                    yield _line(cells, rows.line_num, from_log=from_log)
    except OSError as error:
        raise UnusableInvoice(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UnusableInvoice(f"{path} is not UTF-8.") from error
    except csv.Error as error:
        raise UnusableInvoice(f"{path} is not CSV: {error}.") from error


def _columns(header: Sequence[str]) -> Mapping[str, int]:
    """Return the index of each known column."""
    found = {}
    for meaning, names in _NAMES.items():
        places = [place for place, name in enumerate(header) if name in names]
        if len(places) > 1:
            told = ", ".join(header[place] for place in places)
            raise UnusableInvoice(f"The first line names two columns for {meaning}: {told}.")
        if places:
            found[meaning] = places[0]
    missing = [meaning for meaning in _NEEDED if meaning not in found]
    if missing:
        missing_names = ", ".join(
            f"{meaning} ({' or '.join(_NAMES[meaning])})" for meaning in missing
        )
        raise UnusableInvoice(f"The first line names no column for {missing_names}.")
    return found


def _cells(
    row: Sequence[str], columns: Mapping[str, int], width: int, number: int
) -> Mapping[str, str]:
    """Return the known cells by meaning; none for an empty line."""
    # An unquoted cost of 0,0079 is split into two cells and would be read as 0.
    if any(cell.strip() for cell in row[width:]):
        raise UnusableInvoice(f"Line {number} has more cells than the first line.")
    try:
        return {meaning: row[place].strip() for meaning, place in columns.items()} if row else {}
    except IndexError as error:
        raise UnusableInvoice(f"Line {number} has too few cells.") from error


def _bills_nothing(cells: Mapping[str, str]) -> bool:
    """Return whether a line of Twilio's log has no price or is an inbound text, which is free."""
    return not cells["cost"] or cells.get("direction") == "inbound"


def _line(cells: Mapping[str, str], number: int, *, from_log: bool) -> InvoiceLine:
    try:
        if cells.get("currency", "USD").upper() not in ("USD", ""):
            raise ValueError("the currency is not USD")
        cost = _amount(cells["cost"])
        if from_log and cost > 0:
            raise ValueError("price is positive, where Twilio's log has what is billed as negative")
        return InvoiceLine(
            id=_id(cells["id"]),
            units=_units(cells["units"]),
            cost=(-cost if from_log else cost) + _amount(cells.get("carrier fee") or "0"),
            day=_day(cells.get("day", "")),
        )
    except ValueError as error:
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
    if not _AMOUNT.fullmatch(given) or abs(amount := Decimal(given)) >= _LARGEST:
        raise ValueError("cost is not a number such as 0.0079")
    return amount


def _day(given: str) -> date | None:
    """Return the UTC day of a date or time; without a zone it is UTC. None if the cell is empty."""
    if not given:
        return None
    try:
        if _MAIL_TIME.fullmatch(given):
            return parsedate_to_datetime(given).astimezone(UTC).date()
        if match := _TIME.fullmatch(given):
            day, time, zone = match[1], match[2] or " 00:00", match[5] or "Z"
            moment = datetime.fromisoformat(f"{day}{time}{zone.replace('UTC', 'Z')}")
            return moment.astimezone(UTC).date()
    except (ValueError, OverflowError):  # not a valid day
        pass
    raise ValueError("day is not a day such as 2026-04-15, or a time that begins so")
