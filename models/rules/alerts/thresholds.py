"""When a merchant is warned of what it has used and what it has left. Pure.

Source: CONTRACT, Billing. Usage is what this month's sends captured of the allowance: it only
grows, so a warning ends with the month or with a higher limit. Credits are what is not captured
yet, available or held: a hold that is released later is nothing to warn of.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.enums import AlertSeverity, AlertType, Channel

UNKNOWN_FOR: Final = timedelta(hours=24)
"""So long without another, and the warning of lost deliveries ends."""

_DEGRADED_FROM: Final = 10
"""Attempts; fewer say nothing about a provider."""

_UNITS: Final = {
    Channel.SMS: "SMS segments",
    Channel.VOICE: "call minutes",
    Channel.EMAIL: "e-mails",
}


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """One thing to warn of; sorted, so that several are always locked in one order."""

    type: AlertType
    threshold: int = 0
    """Percent; 0 where there is none."""

    @property
    def severity(self) -> AlertSeverity:
        """How soon somebody should look."""
        used_up = self.type is AlertType.CREDITS_EXHAUSTED or self.threshold == 100
        return AlertSeverity.CRITICAL if used_up else AlertSeverity.WARNING


Marks = frozenset[Mark]

USAGE: Final[Marks] = frozenset(Mark(AlertType.USAGE_THRESHOLD, percent) for percent in (80, 100))
LOW: Final = Mark(AlertType.LOW_CREDITS, 10)
EXHAUSTED: Final = Mark(AlertType.CREDITS_EXHAUSTED)
CREDITS: Final[Marks] = frozenset({LOW, EXHAUSTED})
LOW_ALONE: Final[Marks] = frozenset({LOW})
EXHAUSTED_ALONE: Final[Marks] = frozenset({EXHAUSTED})
NONE: Final[Marks] = frozenset()

_ENOUGH: Final = 15
"""Percent of the last upgrade that must be available for low credits to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """What a merchant has on a channel, in units."""

    month: str
    """YYYY-MM, the current one."""
    allowance: int
    """Of this month."""
    used: int
    """Captured of it; what is held is not used yet."""
    available: int
    """Credits that a send may hold."""
    held: int
    """Credits that sends hold."""
    upgrade: int | None
    """Credits of the last upgrade; None: there never was one."""

    @property
    def remaining(self) -> int:
        """Credits that are not captured."""
        return self.available + self.held


def usage_marks(used: int, allowance: int) -> Marks:
    """Return which marks are reached; none while nothing was used, whatever the allowance."""
    if used <= 0:
        return NONE
    return frozenset(mark for mark in USAGE if used * 100 >= allowance * mark.threshold)


def credit_marks(funds: Funds, open: Collection[Mark] = NONE) -> Marks:
    """Return what is to be warned of; `open` is what is warned of already.

    Credits are low once less than 10 % of the last upgrade remains, and stay so until 15 % is
    available: held credits may be released, but cannot fund a send. Exhausted replaces low.
    """
    upgrade = funds.upgrade
    if upgrade is None:
        return NONE
    reached = _marks_at(funds.remaining, upgrade)
    if reached or LOW not in open:
        return reached
    return NONE if funds.available * 100 >= upgrade * _ENOUGH else LOW_ALONE


def _is_low(units: int, upgrade: int) -> bool:
    return units * 100 < upgrade * LOW.threshold


def usage_crossed(before: int, after: int, allowance: int) -> Marks:
    """Return the marks that a capture reached."""
    return usage_marks(after, allowance) - usage_marks(before, allowance)


def credits_crossed(before: int, after: int, upgrade: int | None) -> Marks:
    """Return the marks that a capture reached; `before` and `after` are remaining credits."""
    return _marks_at(after, upgrade) - _marks_at(before, upgrade)


def _marks_at(remaining: int, upgrade: int | None) -> Marks:
    if upgrade is None:
        return NONE
    if remaining <= 0:
        return EXHAUSTED_ALONE
    return LOW_ALONE if _is_low(remaining, upgrade) else NONE


def tell(mark: Mark, channel: Channel, funds: Funds) -> str:
    """Say a warning in words that the merchant may read."""
    units = _UNITS[channel]
    match mark.type:
        case AlertType.USAGE_THRESHOLD:
            return (
                f"{mark.threshold} % of the allowance of {funds.month} is used: "
                f"{funds.used} of {funds.allowance} {units}."
            )
        case AlertType.LOW_CREDITS:
            return _tell_low(units, funds)
        case _:
            return (
                f"No credits for {units} are left; a send that the month's allowance does not "
                "cover is refused."
            )


def _tell_low(units: str, funds: Funds) -> str:
    left = f"Credits for {funds.remaining} {units} are left, {funds.held} of them held"
    if funds.upgrade is not None and _is_low(funds.remaining, funds.upgrade):
        return f"{left}: less than {LOW.threshold} % of the last upgrade ({funds.upgrade})."
    return f"{left} for messages that are not settled: a send that needed more was refused."


def tell_unknown(message_id: int) -> str:
    """Say that nobody knows whether a message went out."""
    return (
        f"Message {message_id} ended UNKNOWN: no provider confirmed in time that it has taken it. "
        "What was held for it is released."
    )


def is_degraded(attempts: int, failed: int, *, known: bool) -> bool:
    """Say whether a provider fails a tenant: in half of its attempts or more.

    Where that is `known`, the few attempts of messages that back off tell it as well; without any
    attempt nothing fails.
    """
    return failed * 2 >= attempts >= (1 if known else _DEGRADED_FROM)


def tell_degraded(provider: str, attempts: int, failed: int) -> str:
    """Say that a provider keeps failing."""
    return (
        f"Provider {provider} failed in {failed} of the last {attempts} attempts. "
        "What it did not take is tried again."
    )
