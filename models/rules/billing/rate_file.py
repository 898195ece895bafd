"""Reads a rate card from CSV: returns all lines, or reports every invalid line. Pure."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

import phonenumbers

from models.enums import Channel
from models.rules.billing.csv_file import BadLine, Line, channel_of, moment, read_lines

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
"""Columns in the order of the sample. A file may reorder them and omit the last four."""

_NEEDED: Final = frozenset(COLUMNS[:4])
_PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_AMOUNT: Final = re.compile(r"[0-9]{1,40}(\.[0-9]{1,6})?", re.ASCII)
_BASIS_POINTS: Final = re.compile(r"[0-9]{1,40}", re.ASCII)
HIGHEST_AMOUNT: Final = Decimal("999999.999999")
"""Upper limit of a unit cost, carrier fee or flat markup, in USD."""
MOST_BASIS_POINTS: Final = 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLine:
    """One line of a file. Its version is in force from `valid_from` on."""

    number: int
    """Line number in the file; the heading is line 1."""
    channel: Channel
    provider: str
    country: str
    unit_cost: Decimal
    carrier_fee: Decimal
    markup_basis_points: int
    markup_flat: Decimal
    valid_from: datetime

    @property
    def identity(self) -> Hashable:
        """A card has one version per start of validity."""
        return self.channel, self.provider, self.country, self.valid_from

    def clash_with(self, twin: Line) -> str:
        """Return the error of the later one of two lines with the same identity."""
        if replace(self, number=twin.number) == twin:
            return f"says what line {twin.number} says already"
        return (
            f"is of the same card as line {twin.number}, from the same moment, with other figures"
        )


def read_rates(text: str, now: datetime) -> tuple[list[RateLine], list[BadLine]]:
    """Return the valid lines of a file and the errors of the others.

    A start of validity that is in the past or missing means `now`, so that an imported card does
    not price messages that were accepted before the import.
    """
    return read_lines(text, COLUMNS, _NEEDED, lambda number, cells: _line(number, cells, now))


def _line(number: int, cells: Mapping[str, str], now: datetime) -> RateLine:
    channel = channel_of(cells["channel"])
    return RateLine(
        number=number,
        channel=channel,
        provider=_provider(cells["provider"]),
        country=_country(channel, cells["country"]),
        unit_cost=_amount("unitCost", cells["unitCost"]),
        carrier_fee=_amount("carrierFee", cells.get("carrierFee") or "0"),
        markup_basis_points=_basis_points(cells.get("markupBasisPoints") or "0"),
        markup_flat=_amount("markupFlat", cells.get("markupFlat") or "0"),
        valid_from=moment(cells.get("validFrom") or "", now),
    )


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
