"""Reads a price list from CSV: returns all lines, or reports every invalid line. Pure."""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from models.enums import Channel
from models.rules.billing.csv_file import BadLine, Line, channel_of, moment, read_lines
from models.rules.billing.currencies import CURRENCIES, decimals_of, written

COLUMNS: Final = ("channel", "units", "amount", "currency", "validFrom", "tenant")
"""Columns in the order of the sample. A file may reorder them and omit the last two."""

EVERY_TENANT: Final = "all"
"""Value of `tenant`: the line applies to every tenant without a line of its own."""

WITHDRAWN: Final = "none"
"""Value of `amount`: from then on these units are not sold in this currency."""

MOST_UNITS: Final = 10_000_000
MOST_CENTS: Final = 99_999_999
"""Upper limit of one purchase, as in the API."""

_NEEDED: Final = frozenset(COLUMNS[:4])
_UNITS: Final = re.compile(r"[0-9]{1,40}", re.ASCII)
_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """One line of a file. Its version is in force from `valid_from` on."""

    number: int
    """Line number in the file; the heading is line 1."""
    channel: Channel
    units: int
    amount_cents: int | None
    """In the smallest unit of the currency; None: no longer sold."""
    currency: str
    valid_from: datetime
    tenant: str | None
    """None: every tenant."""

    @property
    def identity(self) -> Hashable:
        """A pack has one price per tenant, currency and start of validity."""
        return self.tenant, self.channel, self.units, self.currency, self.valid_from

    def clash_with(self, twin: Line) -> str:
        """Return the error of the later one of two lines with the same identity."""
        if replace(self, number=twin.number) == twin:
            return f"says what line {twin.number} says already"
        return f"prices the same units as line {twin.number}, from the same moment, otherwise"


def read_prices(text: str, now: datetime) -> tuple[list[PriceLine], list[BadLine]]:
    """Return the valid lines of a file and the errors of the others.

    A start of validity that is in the past or missing means `now`.
    """
    return read_lines(text, COLUMNS, _NEEDED, lambda number, cells: _line(number, cells, now))


def _line(number: int, cells: Mapping[str, str], now: datetime) -> PriceLine:
    currency = _currency(cells["currency"])
    return PriceLine(
        number=number,
        channel=channel_of(cells["channel"]),
        units=_units(cells["units"]),
        amount_cents=_cents(cells["amount"], currency),
        currency=currency,
        valid_from=moment(cells.get("validFrom") or "", now),
        tenant=_tenant(cells.get("tenant") or EVERY_TENANT),
    )


def _currency(given: str) -> str:
    if given not in CURRENCIES:
        raise ValueError("currency is no code of ISO 4217 in capital letters, such as USD")
    return given


def _units(given: str) -> int:
    if not _UNITS.fullmatch(given) or not 1 <= int(given) <= MOST_UNITS:
        raise ValueError(f"units is no whole number from 1 to {MOST_UNITS}")
    return int(given)


def _cents(given: str, currency: str) -> int | None:
    """Parse an amount. All decimals of its currency are required, so that 4900 cents is not read as
    4900 USD. Raises ValueError.
    """
    if given == WITHDRAWN:
        return None
    decimals = decimals_of(currency)
    fraction = rf"\.[0-9]{{{decimals}}}" if decimals else ""
    if not re.fullmatch(rf"[0-9]{{1,40}}{fraction}", given, re.ASCII):
        example = written(12 * 10**decimals, currency)
        raise ValueError(f"amount is not written as {currency} is: {example}, say, or {WITHDRAWN}")
    cents = int(given.replace(".", ""))
    if not 1 <= cents <= MOST_CENTS:
        lowest, highest = written(1, currency), written(MOST_CENTS, currency)
        raise ValueError(f"amount is not from {lowest} to {highest} {currency}")
    return cents


def _tenant(given: str) -> str | None:
    if not _TENANT.fullmatch(given):
        raise ValueError(f"tenant is no name of a tenant, nor {EVERY_TENANT}")
    return None if given == EVERY_TENANT else given
