"""Throughput of a campaign where the vendor states none, and each number's share of it.

AT&T limits a campaign by its message class, in segments a minute, regardless of its numbers; other
carriers allow at least as much. The table holds the limits of AT&T's classes as vendors publish
them for unvetted brands, which are the lowest of each use case. The registry states a higher limit
if there is one. An operator may set a number's limit (`hexavox number limit`); it is kept until a
number is next assigned to or unassigned from the campaign, because then the campaign's limit is
divided among all its numbers again.
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
"""Use case → class; all others have the standard class."""

_FINEST: Final = Decimal("0.001")


def of_class(message_class: str) -> Decimal | None:
    """Return the segments per second of an AT&T message class; None if it is unknown."""
    per_minute = _PER_MINUTE.get(message_class.strip().upper())
    return None if per_minute is None else (Decimal(per_minute) / 60).quantize(_FINEST)


def by_default(use_case: UseCase, entity_type: EntityType | None = None) -> Decimal:
    """Return the default segments per second of a use case and a kind of brand."""
    sole = entity_type is EntityType.SOLE_PROPRIETOR
    found = of_class("W" if sole else _CLASSES.get(use_case, _STANDARD))
    assert found is not None
    return found


def shares(rate: Decimal, numbers: int) -> Sequence[Decimal]:
    """Divide a campaign's limit among its numbers; the shares add up to the limit.

    The first number gets the remainder. Each share is above zero, so the sum exceeds the limit if
    there are more numbers than thousandths of a segment.
    """
    if numbers == 0:
        return []
    each = max((rate / numbers).quantize(_FINEST, ROUND_DOWN), _FINEST)
    return [max(rate - each * (numbers - 1), each), *[each] * (numbers - 1)]
