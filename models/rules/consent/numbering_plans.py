"""Numbering plans in which one subscriber has two numbers.

A plan that gave up a form of its numbers (the former one does not connect any more, but contact
lists and some gateways still have it) is told apart from one in which both forms connect. Sources
are in docs/decisions/0055. A plan whose numbers changed in a way that the number itself does not
show (Côte d'Ivoire 2021: by operator) is not here, nor is a former form that is a number of its own
(Brazil's trunked radio, 7xxx xxxx).
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
"""A former form and what replaced it."""

_BOTH_IN_USE: Final[_Forms] = (
    # Argentina: 9 before a mobile number called from abroad; many gateways leave it out.
    (re.compile(r"\+549([1-3][0-9]{9})"), r"+54\1"),
    # Palestine: mobile and Paltel's fixed lines are reached by Israel's country code as well.
    (re.compile(r"\+970(5[69][0-9]{7}|[2489]2[0-9]{6})"), r"+972\1"),
    # San Marino: fixed lines are reached by the Italian area code 0549 as well.
    (re.compile(r"\+390549([89][0-9]{5})"), r"+3780549\1"),
)
"""One form and the other one of the same subscriber."""


def current_form(number: str) -> str:
    """Return what replaced a number's form, if its plan gave it up; E.164 in and out."""
    return _rewritten(number, _GIVEN_UP)


def one_form(number: str) -> str:
    """Return the same number for both numbers of a subscriber; E.164 in and out."""
    return _rewritten(number, _BOTH_IN_USE)


def _rewritten(number: str, forms: _Forms) -> str:
    for pattern, replacement in forms:
        if pattern.fullmatch(number):
            return pattern.sub(replacement, number)
    return number
