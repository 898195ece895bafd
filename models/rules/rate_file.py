"""Reading a rate card from CSV: all of it, or every line that is wrong. Pure."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

import phonenumbers

from models.enums import Channel

COLUMNS: Final = (
    "channel",
    "provider",
    "country",
    "unitCost",
    "carrierFee",
    "markupBasisPoints",
    "markupFlat",
    "validFrom",
)
"""In the order of the sample; a file may have them in any order, and leave out the last four."""

_NEEDED: Final = frozenset(COLUMNS[:4])
_PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_AMOUNT: Final = re.compile(r"[0-9]{1,40}(\.[0-9]{1,6})?", re.ASCII)
_BASIS_POINTS: Final = re.compile(r"[0-9]{1,40}", re.ASCII)
HIGHEST_AMOUNT: Final = Decimal("999999.999999")
"""Of a unit cost, carrier fee or flat markup, in USD."""
MOST_BASIS_POINTS: Final = 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLine:
    """One line of a file. Its version is in force from `valid_from` on."""

    number: int
    """Of the line in the file, the heading being 1."""
    channel: Channel
    provider: str
    country: str
    unit_cost: Decimal
    carrier_fee: Decimal
    markup_basis_points: int
    markup_flat: Decimal
    valid_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """Why a line cannot be taken."""

    number: int
    reason: str


def read_rates(text: str, now: datetime) -> tuple[list[RateLine], list[BadLine]]:
    """Return the lines of a file, and what is wrong with the others.

    A moment that has passed, or is not given, means `now`: nothing that was accepted before is
    priced by a card that came later.
    """
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(), strict=True)
    lines: list[RateLine] = []
    bad: list[BadLine] = []
    seen: dict[tuple[str, str, str, datetime], RateLine] = {}
    try:
        wrong = _wrong_heading(reader.fieldnames or ())
        if wrong:
            return [], [BadLine(number=1, reason=wrong)]
        for number, row in _rows(reader):
            try:
                line = _line(number, row, now)
                key = (line.channel, line.provider, line.country, line.valid_from)
                if (twin := seen.setdefault(key, line)) is not line:
                    raise ValueError(_doubled(line, twin))
            except ValueError as error:
                bad.append(BadLine(number=number, reason=str(error)))
            else:
                lines.append(line)
    except csv.Error as error:
        bad.append(BadLine(number=reader.line_num, reason=f"is not CSV: {error}"))
    if not lines and not bad:
        bad.append(BadLine(number=1, reason="has no lines after it"))
    return lines, bad


def _doubled(line: RateLine, twin: RateLine) -> str:
    """Say what is wrong with the later one of two lines that would hold from the same moment."""
    if replace(line, number=twin.number) == twin:
        return f"says what line {twin.number} says already"
    return f"is of the same card as line {twin.number}, from the same moment, with other figures"


def _wrong_heading(names: Sequence[str]) -> str | None:
    given = [name.strip() for name in names]
    missing = [name for name in COLUMNS if name in _NEEDED and name not in given]
    unknown = [name for name in given if name not in COLUMNS]
    if missing:
        return f"does not name {', '.join(missing)}"
    if unknown:
        return f"names columns there are none of: {', '.join(unknown)}"
    return "names a column twice" if len(set(given)) < len(given) else None


def _rows(reader: "csv.DictReader[str]") -> Iterator[tuple[int, Mapping[str, str]]]:
    """Give every line that is not empty, with its number."""
    for row in reader:
        cells = [cell for cell in row.values() if isinstance(cell, str)]
        if any(cell.strip() for cell in cells) or None in row:
            yield reader.line_num, row


def _line(number: int, row: Mapping[str, str], now: datetime) -> RateLine:
    if None in row or None in row.values():
        raise ValueError("has more or fewer cells than the heading")
    cells = {name.strip(): cell.strip() for name, cell in row.items()}
    channel = _channel(cells["channel"])
    return RateLine(
        number=number,
        channel=channel,
        provider=_provider(cells["provider"]),
        country=_country(channel, cells["country"]),
        unit_cost=_amount("unitCost", cells["unitCost"]),
        carrier_fee=_amount("carrierFee", cells.get("carrierFee") or "0"),
        markup_basis_points=_basis_points(cells.get("markupBasisPoints") or "0"),
        markup_flat=_amount("markupFlat", cells.get("markupFlat") or "0"),
        valid_from=_moment(cells.get("validFrom") or "", now),
    )


def _channel(given: str) -> Channel:
    try:
        return Channel(given)
    except ValueError:
        raise ValueError(f"channel is none of {', '.join(Channel)}") from None


def _provider(given: str) -> str:
    if not _PROVIDER.fullmatch(given):
        raise ValueError("provider is no name: lower case letters, digits and dashes, 32 at most")
    return given


def _country(channel: Channel, given: str) -> str:
    if not given:
        return given
    if channel is Channel.EMAIL:
        raise ValueError("country must be empty: an e-mail has none")
    if given not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("country is no ISO 3166 code of two capital letters; empty means any")
    return given


def _amount(name: str, given: str) -> Decimal:
    if not _AMOUNT.fullmatch(given):
        raise ValueError(f"{name} is no amount in USD with at most six decimals")
    amount = Decimal(given)
    if amount > HIGHEST_AMOUNT:
        raise ValueError(f"{name} is over the highest amount, {HIGHEST_AMOUNT}")
    return amount


def _basis_points(given: str) -> int:
    if not _BASIS_POINTS.fullmatch(given):
        raise ValueError("markupBasisPoints is no whole number; 100 are one per cent")
    if int(given) > MOST_BASIS_POINTS:
        raise ValueError(f"markupBasisPoints is over the limit, {MOST_BASIS_POINTS}")
    return int(given)


def _moment(given: str, now: datetime) -> datetime:
    if not given:
        return now
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("validFrom is no ISO 8601 time with a time zone")
    return max(moment, now)
