"""Explains why a report is not final yet. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from models.enums import Channel

_MAX_NAMED: Final = 3
"""Most missing rates that are listed by name; the others are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpriced:
    """Messages of one kind without a known price. Country is empty if there is none."""

    channel: Channel
    provider: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDays:
    """Days of a range that are not closed, and the known reasons."""

    earliest: date
    latest: date
    unsettled: bool
    """A message is not terminal, and a provider accepted it or may have accepted it."""
    unpriced: Sequence[Unpriced]
    awaited: Sequence[str]
    """Providers whose own prices have not arrived."""


def reason(open_days: OpenDays, *, last: date, today: date) -> str:
    """Return all known reasons why a range that ends with `last` is not final."""
    known = [*_unsettled(open_days), *_unpriced(open_days.unpriced), *_awaited(open_days.awaited)]
    return " ".join(known) or _open_day(open_days, last, today)


def _unsettled(open_days: OpenDays) -> Sequence[str]:
    if not open_days.unsettled:
        return []
    return ["Provider finalization still pending for one or more messages."]


def _unpriced(unpriced: Sequence[Unpriced]) -> Sequence[str]:
    if not unpriced:
        return []
    named = [
        f"{kind.channel} by {kind.provider}{kind.country and f' to {kind.country}'}"
        for kind in unpriced[:_MAX_NAMED]
    ]
    more = len(unpriced) - len(named)
    return [f"No rate covers {', '.join(named)}{f' and {more} more' if more else ''}."]


def _awaited(providers: Sequence[str]) -> Sequence[str]:
    if not providers:
        return []
    return [f"Prices are still awaited from {', '.join(providers)}."]


def _open_day(open_days: OpenDays, last: date, today: date) -> str:
    if last >= today:
        return f"The last day of the range, {last}, is not over yet (UTC)."
    if open_days.earliest == open_days.latest:
        return f"{open_days.latest} is over, but not closed yet."
    return f"{open_days.earliest} and later days are over, but not all closed yet."
