"""The time zones of each country, from tzdata's zone1970.tab.

`phonenumbers` has its own table of zones by number, which is wrong for some countries (Morocco) and
has only one of several zones for others. So it is used only for North America (area_codes.py).
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final

import phonenumbers

_NOT_LISTED: Final[Mapping[str, frozenset[str]]] = {
    "AC": frozenset({"Africa/Abidjan"}),
    "TA": frozenset({"Africa/Abidjan"}),
    "XK": frozenset({"Europe/Belgrade"}),
}
"""Codes outside ISO 3166: Ascension and Tristan da Cunha use Saint Helena's time, Kosovo uses
Serbia's (the comment on Europe/Belgrade in tzdata's file `europe`).
"""


def zones_abroad(number: phonenumbers.PhoneNumber) -> frozenset[str]:
    """Return all zones of a number's country; none if it has no country (+800, +870).

    If several countries share the country code and the numbering plans assign the number to none,
    the zones of all of them are returned.
    """
    country = phonenumbers.region_code_for_number(number)
    shared = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    zones = _zones_by_country()
    countries = [country] if country else shared
    return frozenset().union(*(zones.get(one, frozenset()) for one in countries))


def all_zones() -> frozenset[str]:
    """Return the zones of all countries."""
    return frozenset().union(*_zones_by_country().values())


@lru_cache(maxsize=1)
def _zones_by_country() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    table: str = files("tzdata").joinpath("zoneinfo", "zone1970.tab").read_text("utf-8")
    for line in table.splitlines():
        if line.startswith("#"):
            continue
        countries, _coordinates, zone = line.split("\t")[:3]
        for country in countries.split(","):
            found.setdefault(country, set()).add(zone)
    return {**{country: frozenset(zones) for country, zones in found.items()}, **_NOT_LISTED}
