"""Classifies numbers of the North American Numbering Plan by their area code.

Only the area code is used: `phonenumbers` lacks numbers of new exchanges for months, and the
registry decides on them in the end.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import phonenumbers

from models.rules.consent.area_codes import is_placeless

COUNTRY_CODE: Final = 1
_MAIN: Final = "US"

US_TERRITORIES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "PR": frozenset({"787", "939"}),
        "VI": frozenset({"340"}),
        "GU": frozenset({"671"}),
        "AS": frozenset({"684"}),
        "MP": frozenset({"670"}),
    }
)
"""Territory (ISO 3166-1) → area codes. Their long codes are sold and registered as US numbers.

Source: NANPA, geographic area codes by location; FCC, 47 CFR 52.5(c): the United States include its
territories.
"""

_TERRITORY_OF: Final = {code: place for place, codes in US_TERRITORIES.items() for code in codes}

TOLL_FREE: Final = frozenset({"800", "822", "833", "844", "855", "866", "877", "888"})
"""Toll-free area codes. Source: 47 CFR 52.101(e) and NANPA; 822 is reserved for the next relief."""

_UNASSIGNABLE: Final = re.compile(r".9.|37.|96.|976", re.ASCII)
"""Area codes that nobody gets: reserved for longer numbers and in blocks, and that of pay-per-call.

Source: NANPA, area codes not available for assignment.
"""

_PAY_PER_CALL: Final = "976"
"""The exchange of pay-per-call services in any area code."""


def area_code_of(number: str) -> str | None:
    """Return the area code of a number in E.164; None if it is not North American."""
    return number[2:5] if number.startswith("+1") and len(number) == 12 else None


def is_toll_free(area_code: str) -> bool:
    """Return whether an area code is toll-free; such numbers are verified, not registered."""
    return area_code in TOLL_FREE


def is_geographic(area_code: str) -> bool:
    """Return whether an area code is geographic, and not for services, persons or government."""
    return not is_placeless(area_code) and not is_toll_free(area_code)


def has_place(number: str) -> bool:
    """Return whether a North American number is of a subscriber in some country.

    Others are for services, persons or pay-per-call, or nobody has them. A toll-free number counts
    as one with a place; so does one of a new area code, which `phonenumbers` lacks for months.
    """
    area_code, exchange = number[2:5], number[5:8]
    if is_toll_free(area_code):
        return True
    unassigned = _UNASSIGNABLE.fullmatch(area_code) is not None
    return is_geographic(area_code) and not unassigned and exchange != _PAY_PER_CALL


@lru_cache(maxsize=1000)
def region_of(area_code: str) -> str:
    """Return the country of an area code (ISO 3166-1); US if unknown."""
    if area_code in _TERRITORY_OF:
        return _TERRITORY_OF[area_code]
    any_number = phonenumbers.PhoneNumber(
        country_code=COUNTRY_CODE, national_number=int(f"{area_code}2345678")
    )
    return phonenumbers.region_code_for_number(any_number) or _MAIN


def is_us(area_code: str) -> bool:
    """Return whether an area code belongs to the US or its territories, or is unknown."""
    return region_of(area_code) == _MAIN or area_code in _TERRITORY_OF
