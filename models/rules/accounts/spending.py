"""Daily spending limits of accounts and tenants: what they forbid and when they alert. Pure.

Amounts are USD. A day's spending is what its attempts reserve or, once ended, have cost.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from models.enums import AlertSeverity
from models.rules.accounts.circuit import share_of

WARNED_AT: Final = 80
REACHED_AT: Final = 100
"""Percent of a limit at which it alerts."""

_LOOK_AGAIN: Final = timedelta(hours=1)
"""Longest wait at a limit, because an operator may raise it."""

_SPREAD: Final = timedelta(minutes=10)
_URGENT_SPREAD: Final = timedelta(seconds=2)
"""Longest time over which waiting messages are spread when a new day begins: claims of a limited
account or tenant are made one after the other.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """A day's spending of one account or one tenant before an attempt, and what that would add."""

    spent: Decimal
    cost: Decimal
    limit: Decimal | None
    """None: no limit."""

    @property
    def full(self) -> bool:
        """Whether the attempt would exceed the limit. One without cost never does."""
        return self.limit is not None and self.cost > 0 and self.spent + self.cost > self.limit

    @property
    def crossed(self) -> tuple[int, ...]:
        """The percentages of the limit that the attempt reaches and that were not reached."""
        after = self.spent + self.cost
        return tuple(
            percent
            for percent in (WARNED_AT, REACHED_AT)
            if not _reached(self.spent, self.limit, percent)
            and _reached(after, self.limit, percent)
        )


def _reached(spent: Decimal, limit: Decimal | None, percent: int) -> bool:
    return limit is not None and spent > 0 and spent * 100 >= limit * percent


def tried_again_at(
    now: datetime, expires_at: datetime | None, message_id: int, *, urgent: bool
) -> datetime:
    """Return when a message that a limit holds back is tried again.

    The day's spending ends with the UTC day; messages that wait for it are spread. It is earlier if
    the message expires, which then ends it, and after an hour, because an operator may have raised
    the limit.
    """
    tomorrow = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time.min, UTC)
    later = (_URGENT_SPREAD if urgent else _SPREAD) * share_of(message_id)
    until = min(tomorrow + later, now + _LOOK_AGAIN)
    return until if expires_at is None else min(until, expires_at)


def severity_of(percent: int) -> AlertSeverity:
    """Return the severity of the alert about a limit."""
    return AlertSeverity.CRITICAL if percent >= REACHED_AT else AlertSeverity.WARNING


def limit_message(percent: int, limit: Decimal, day: date) -> str:
    """Return the text of the alert about a tenant's limit."""
    if percent >= REACHED_AT:
        return (
            f"The spending limit of {limit} USD for {day} (UTC) is reached. Messages wait until "
            "the next day, unless they expire."
        )
    return f"{percent} % of the spending limit of {limit} USD for {day} (UTC) is reserved or spent."
