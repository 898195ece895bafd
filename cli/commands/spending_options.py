"""Options of `hexavox tenant …` about spending and countries."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import typer

from models.queries.tenants.tenants import SpendingGuard
from models.rules.tenants.allowed_countries import ANY, read_country

_MOST: Final = Decimal(1_000_000_000)
_CENT: Final = Decimal("0.01")

CountryOption = Annotated[
    str, typer.Option(help="Its own, ISO 3166: in LIVE mode it may send there only, by default.")
]
UsdPerDayOption = Annotated[
    str | None, typer.Option(help="What its messages may cost in a UTC day; in LIVE and SIMULATOR.")
]
NoUsdPerDayOption = Annotated[bool, typer.Option("--no-usd-per-day", help="No limit of spending.")]
AllowCountryOption = Annotated[
    list[str] | None,
    typer.Option(help="One more country that it may send texts and calls to; may be repeated."),
]
CountriesOption = Annotated[
    str | None,
    typer.Option(help="The countries that it may send to: US,CA for example; * is anywhere."),
]


def usd(given: str) -> Decimal:
    """Return an amount of USD in whole cents."""
    try:
        amount = Decimal(given)
    except InvalidOperation as error:
        raise typer.BadParameter("An amount of USD is a number such as 250 or 99.50.") from error
    if not amount.is_finite() or not 0 <= amount <= _MOST or amount != amount.quantize(_CENT):
        raise typer.BadParameter(f"An amount of USD lies between 0 and {_MOST}, in whole cents.")
    return amount


def country(given: str) -> str:
    """Return a country, as ISO 3166 writes it."""
    try:
        return read_country(given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def spending_guard(
    usd_per_day: str | None,
    no_usd_per_day: bool,
    allow_country: Sequence[str] | None,
    countries: str | None,
) -> SpendingGuard:
    """Return the changes that the options ask for."""
    if usd_per_day is not None and no_usd_per_day:
        raise typer.BadParameter("Give either --usd-per-day or --no-usd-per-day.")
    if allow_country and countries is not None:
        raise typer.BadParameter("Give either --allow-country or --countries.")
    chosen = None
    if countries is not None:
        given = [part for part in countries.split(",") if part.strip()]
        chosen = [ANY] if countries.strip() == ANY else sorted({country(c) for c in given})
        if not chosen:
            raise typer.BadParameter("Name a country; * is anywhere.")
    elif allow_country:
        chosen = sorted({country(one) for one in allow_country})
    return SpendingGuard(
        set_limit=usd_per_day is not None or no_usd_per_day,
        limit=None if usd_per_day is None else usd(usd_per_day),
        countries=chosen,
        more=bool(allow_country),
    )
