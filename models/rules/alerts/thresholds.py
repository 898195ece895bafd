"""Thresholds of used allowance and remaining credits that raise an alert. Pure.

Source: CONTRACT, Billing. Usage is the part of this month's allowance that was captured. It only
grows, so an alert ends with the month or with a higher limit. Remaining credits are those not
captured, whether available or held: a hold that may be released is no reason to alert.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.enums import AlertSeverity, AlertType, Channel

UNKNOWN_FOR: Final = timedelta(hours=24)
"""The alert about messages with an unknown end is resolved after this long without another."""

_DEGRADED_FROM: Final = 10
"""Minimum of attempts; fewer are not significant."""

_UNITS: Final = {
    Channel.SMS: "SMS segments",
    Channel.VOICE: "call minutes",
    Channel.EMAIL: "e-mails",
}


@dataclass(frozen=True, slots=True, order=True)
class ThresholdAlert:
    """Identity of one alert. Sortable, so that several are always locked in one order."""

    type: AlertType
    threshold: int = 0
    """Percent; 0 for types without a threshold."""

    @property
    def severity(self) -> AlertSeverity:
        """Severity of the alert."""
        used_up = self.type is AlertType.CREDITS_EXHAUSTED or self.threshold == 100
        return AlertSeverity.CRITICAL if used_up else AlertSeverity.WARNING


ThresholdAlerts = frozenset[ThresholdAlert]

USAGE: Final[ThresholdAlerts] = frozenset(
    ThresholdAlert(AlertType.USAGE_THRESHOLD, percent) for percent in (80, 100)
)
LOW: Final = ThresholdAlert(AlertType.LOW_CREDITS, 10)
EXHAUSTED: Final = ThresholdAlert(AlertType.CREDITS_EXHAUSTED)
CREDITS: Final[ThresholdAlerts] = frozenset({LOW, EXHAUSTED})
LOW_ALONE: Final[ThresholdAlerts] = frozenset({LOW})
EXHAUSTED_ALONE: Final[ThresholdAlerts] = frozenset({EXHAUSTED})
NONE: Final[ThresholdAlerts] = frozenset()

_ENOUGH: Final = 15
"""Percent of the last upgrade that must be available for low credits to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """Allowance and credits of a merchant on a channel, in units."""

    month: str
    """Current month, YYYY-MM."""
    allowance: int
    """Allowance of this month."""
    used: int
    """Captured of the allowance; held units do not count."""
    available: int
    """Credits that can be held for a send."""
    held: int
    """Credits held for sends."""
    upgrade: int | None
    """Credits of the last upgrade; None if there was none."""

    @property
    def remaining(self) -> int:
        """Credits that are not captured."""
        return self.available + self.held


def usage_alerts(used: int, allowance: int) -> ThresholdAlerts:
    """Return the usage alerts in force; none at zero usage, whatever the allowance."""
    if used <= 0:
        return NONE
    return frozenset(alert for alert in USAGE if used * 100 >= allowance * alert.threshold)


def credit_alerts(funds: Funds, open: Collection[ThresholdAlert] = NONE) -> ThresholdAlerts:
    """Return the credit alerts in force; `open` are those that are open already.

    Credits are low from below 10 % of the last upgrade remaining until 15 % are available: held
    credits may be released, but cannot fund a send. CREDITS_EXHAUSTED replaces LOW_CREDITS.
    """
    upgrade = funds.upgrade
    if upgrade is None:
        return NONE
    reached = _alerts_at(funds.remaining, upgrade)
    if reached or LOW not in open:
        return reached
    return NONE if funds.available * 100 >= upgrade * _ENOUGH else LOW_ALONE


def is_short_by_holds(funds: Funds) -> bool:
    """Return whether holds leave less than 15 % of the last upgrade available."""
    return (
        funds.upgrade is not None
        and funds.held > 0
        and funds.available * 100 < funds.upgrade * _ENOUGH
    )


def _is_low(units: int, upgrade: int) -> bool:
    return units * 100 < upgrade * LOW.threshold


def usage_crossed(before: int, after: int, allowance: int) -> ThresholdAlerts:
    """Return the alerts of the thresholds that a capture crosses."""
    return usage_alerts(after, allowance) - usage_alerts(before, allowance)


def credits_crossed(before: int, after: int, upgrade: int | None) -> ThresholdAlerts:
    """Return the alerts that a capture raises; `before` and `after` are remaining credits."""
    return _alerts_at(after, upgrade) - _alerts_at(before, upgrade)


def _alerts_at(remaining: int, upgrade: int | None) -> ThresholdAlerts:
    if upgrade is None:
        return NONE
    if remaining <= 0:
        return EXHAUSTED_ALONE
    return LOW_ALONE if _is_low(remaining, upgrade) else NONE


def message_of(alert: ThresholdAlert, channel: Channel, funds: Funds) -> str:
    """Return the text of an alert."""
    units = _UNITS[channel]
    match alert.type:
        case AlertType.USAGE_THRESHOLD:
            return (
                f"{alert.threshold} % of the allowance of {funds.month} is used: "
                f"{funds.used} of {funds.allowance} {units}."
            )
        case AlertType.LOW_CREDITS:
            return _low_credits_message(units, funds)
        case _:
            return (
                f"No credits for {units} are left; a send that the month's allowance does not "
                "cover is refused."
            )


def _low_credits_message(units: str, funds: Funds) -> str:
    left = f"Credits for {funds.remaining} {units} are left, {funds.held} of them held"
    if funds.upgrade is not None and _is_low(funds.remaining, funds.upgrade):
        return f"{left}: less than {LOW.threshold} % of the last upgrade ({funds.upgrade})."
    return f"{left} for messages that are not settled: a send that needed more was refused."


def unknown_message(message_id: int) -> str:
    """Return the text of the alert about a message that ended UNKNOWN."""
    return (
        f"Message {message_id} ended UNKNOWN: no provider confirmed in time that it has taken it. "
        "What was held for it is released."
    )


def is_degraded(attempts: int, failed: int, *, known: bool) -> bool:
    """Return whether a provider is degraded: at least half of a tenant's attempts failed.

    While an alert is open (`known`), a single attempt is enough, because back-off makes them rare.
    """
    return failed * 2 >= attempts >= (1 if known else _DEGRADED_FROM)


def degraded_message(provider: str, attempts: int, failed: int) -> str:
    """Return the text of the alert about a degraded provider."""
    return (
        f"Provider {provider} failed in {failed} of the last {attempts} attempts. "
        "What it did not take is tried again."
    )
