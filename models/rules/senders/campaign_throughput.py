"""How fast a campaign may send, where no vendor tells, and what of it each of its numbers gets.

AT&T limits a campaign by its message class, in segments a minute, however many numbers it has; the
others allow at least as much. The table is that of AT&T's classes as vendors publish it for brands
nobody has vetted: the least a campaign of that use case gets. Who is allowed more is told so by the
registry. An operator may set a number's limit by hand (`hexavox number limit`): it holds until a
number is next assigned to the campaign or taken from it, for then the campaign's limit is shared
anew among all of its numbers.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Final

from models.rules.registration.vocabulary import EntityType, UseCase

_PER_MINUTE: Final[Mapping[str, int]] = {
    "A": 4500,
    "B": 4500,
    "C": 2400,
    "D": 2400,
    "E": 240,
    "F": 240,
    "T": 75,
    "W": 15,
    "G": 60,
    "K": 4500,
    "N": 60,
    "P": 2400,
    "S": 9000,
    "X": 4500,
    "Y": 720,
}
"""AT&T's message class → segments a minute."""

_STANDARD: Final = "E"
_CLASSES: Final[Mapping[UseCase, str]] = {
    UseCase.SOLE_PROPRIETOR: "W",
    UseCase.LOW_VOLUME: "T",
    UseCase.TRIAL: "T",
    UseCase.UCAAS_LOW: "T",
    UseCase.PROXY: "G",
    UseCase.AGENTS_FRANCHISES: "N",
    UseCase.CHARITY: "P",
    UseCase.POLITICAL: "K",
    UseCase.EMERGENCY: "X",
    UseCase.SOCIAL: "S",
    UseCase.K12_EDUCATION: "Y",
}
"""Use case → class; every other is standard."""

_FINEST: Final = Decimal("0.001")


def of_class(message_class: str) -> Decimal | None:
    """Return the segments a second of an AT&T message class; None if it is not known."""
    per_minute = _PER_MINUTE.get(message_class.strip().upper())
    return None if per_minute is None else (Decimal(per_minute) / 60).quantize(_FINEST)


def by_default(use_case: UseCase, entity_type: EntityType | None = None) -> Decimal:
    """Return the segments a second of a use case, for a brand of a kind."""
    sole = entity_type is EntityType.SOLE_PROPRIETOR
    found = of_class("W" if sole else _CLASSES.get(use_case, _STANDARD))
    assert found is not None
    return found


def shares(rate: Decimal, numbers: int) -> Sequence[Decimal]:
    """Part a campaign's limit among its numbers, so that together they have all of it and no more.

    What does not divide is the first's. A number that may send has a limit above zero, so more
    numbers than thousandths of a segment have more.
    """
    if numbers == 0:
        return []
    each = max((rate / numbers).quantize(_FINEST, ROUND_DOWN), _FINEST)
    return [max(rate - each * (numbers - 1), each), *[each] * (numbers - 1)]
