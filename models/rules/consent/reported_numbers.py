"""Reads phone numbers as vendors report them: without the plus sign, or as a tel URI."""

import re
import string
from typing import Final

import phonenumbers

from models.errors import InvalidPhoneNumber
from models.rules.consent.contacts import e164

_LONGEST: Final = 128
_REPORTED: Final = re.compile(
    r"(?:tel:)?(?P<prefix>\+|00)?(?P<number>[0-9 ().\-/]+)(?P<parameters>;[\x21-\x7e]*)?",
    re.IGNORECASE,
)
"""A tel URI (RFC 3966) or the number of one, with 00 for the plus sign or without either."""
_LOCAL: Final = ";phone-context="
"""Follows a number that is local to a place or network (RFC 3966, section 5.1.5)."""
_FEWEST_DIGITS: Final = 8
"""Of a number without + or 00; short codes have fewer."""
_NORTH_AMERICA: Final = 1


def reported_e164(given: str) -> str:
    """Return a number that a vendor reports in E.164 form; raises InvalidPhoneNumber.

    Digits alone must be a valid number, not only a possible one: they may be a national number or
    an identifier. Valid is what `phonenumbers` knows, and in North America every number, because
    the library lacks its new area codes for months.
    """
    text = given.strip(string.whitespace)
    match = _REPORTED.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return e164(given)
    number = e164(f"+{match['number'].strip()}")
    if match["prefix"] is None and not _is_international(match, number):
        raise InvalidPhoneNumber
    return number


def _is_international(match: re.Match[str], e164_form: str) -> bool:
    """Return whether digits without a prefix begin with a country code."""
    digits = sum(character.isdigit() for character in match["number"])
    if digits < _FEWEST_DIGITS or _LOCAL in (match["parameters"] or "").lower():
        return False
    number = phonenumbers.parse(e164_form, None)
    return number.country_code == _NORTH_AMERICA or phonenumbers.is_valid_number(number)
