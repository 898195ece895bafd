"""Numbering plans in which one subscriber has two forms of a number.

Two kinds are distinguished: a former form that no longer connects but is still found in contact
lists and gateways, and two forms that both connect. Sources are in docs/decisions/0055. Left out
are changes that the number itself does not show (Côte d'Ivoire 2021: by operator), and former forms
that are numbers in their own right (Brazil's trunked radio, 7xxx xxxx).
"""

import re
from typing import Final

_Forms = tuple[tuple[re.Pattern[str], str], ...]

_GIVEN_UP: Final[_Forms] = (
    # Mexico: 1 before a mobile number, until August 2019.
    (re.compile(r"\+521([2-9][0-9]{9})"), r"+52\1"),
    # Brazil: mobile numbers without the ninth digit, by area code until November 2016.
    (re.compile(r"\+55([1-9][1-9])([689][0-9]{7})"), r"+55\g<1>9\2"),
    # Benin: eight digits, until the end of 2024.
    (re.compile(r"\+229([2-9][0-9]{7})"), r"+22901\1"),
)
"""Pairs of a withdrawn form and its replacement."""

_BOTH_IN_USE: Final[_Forms] = (
    # Argentina: 9 before a mobile number called from abroad; many gateways leave it out.
    (re.compile(r"\+549([1-3][0-9]{9})"), r"+54\1"),
    # Palestine: mobile and Paltel's fixed lines are also reached by Israel's country code.
    (re.compile(r"\+970(5[69][0-9]{7}|[2489]2[0-9]{6})"), r"+972\1"),
    # San Marino: fixed lines are also reached by the Italian area code 0549.
    (re.compile(r"\+390549([89][0-9]{5})"), r"+3780549\1"),
)
"""Pairs of two forms of the same subscriber's number."""


def current_form(number: str) -> str:
    """Return the current form of a number whose form was withdrawn; E.164 in and out."""
    return _rewritten(number, _GIVEN_UP)


def one_form(number: str) -> str:
    """Return one form for both numbers of a subscriber; E.164 in and out."""
    return _rewritten(number, _BOTH_IN_USE)


def _rewritten(number: str, forms: _Forms) -> str:
    for pattern, replacement in forms:
        if pattern.fullmatch(number):
            return pattern.sub(replacement, number)
    return number
