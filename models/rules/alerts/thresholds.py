"""When a merchant is warned of what it has used and what it has left. Pure.

Source: CONTRACT, Billing. Usage is what this month's sends captured of the allowance: it only
grows, so a warning ends with the month or with a higher limit. Credits are those available now.
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
class ThresholdAlert:
    """One thing to warn of; sorted, so that several are always locked in one order."""

    type: AlertType
    threshold: int = 0
    """Percent; 0 where there is none."""

    @property
    def severity(self) -> AlertSeverity:
        """How soon somebody should look."""
        used_up = self.type is AlertType.CREDITS_EXHAUSTED or self.threshold == 100
        return AlertSeverity.CRITICAL if used_up else AlertSeverity.WARNING


ThresholdAlerts = frozenset[ThresholdAlert]

USAGE: Final[ThresholdAlerts] = frozenset(
    ThresholdAlert(AlertType.USAGE_THRESHOLD, percent) for percent in (80, 100)
)
LOW: Final = ThresholdAlert(AlertType.LOW_CREDITS, 10)
EXHAUSTED: Final = ThresholdAlert(AlertType.CREDITS_EXHAUSTED)
CREDITS: Final[ThresholdAlerts] = frozenset({LOW, EXHAUSTED})
NONE: Final[ThresholdAlerts] = frozenset()


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
    """Credits."""
    upgrade: int | None
    """Credits of the last upgrade; None: there never was one."""


def usage_alerts(used: int, allowance: int) -> ThresholdAlerts:
    """Return which alerts are reached; none while nothing was used, whatever the allowance."""
    if used <= 0:
        return NONE
    return frozenset(alert for alert in USAGE if used * 100 >= allowance * alert.threshold)


def credit_alerts(
    available: int, upgrade: int | None, open: Collection[ThresholdAlert] = NONE
) -> ThresholdAlerts:
    """Return what is to be warned of; `open` is what is warned of already.

    Credits are exhausted at 0, and stay so until they are no longer low: what is released and held
    again around 0 is one warning.
    """
    if upgrade is None or available * 100 >= upgrade * LOW.threshold:
        return NONE
    if available <= 0 or EXHAUSTED in open:
        return CREDITS
    return frozenset({LOW})


def usage_crossed(before: int, after: int, allowance: int) -> ThresholdAlerts:
    """Return the alerts that a capture reached."""
    return usage_alerts(after, allowance) - usage_alerts(before, allowance)


def credits_crossed(before: int, after: int, upgrade: int | None) -> ThresholdAlerts:
    """Return the alerts that a hold reached."""
    return credit_alerts(after, upgrade) - credit_alerts(before, upgrade)


def message_of(alert: ThresholdAlert, channel: Channel, funds: Funds) -> str:
    """Say a warning in words that the merchant may read."""
    units = _UNITS[channel]
    match alert.type:
        case AlertType.USAGE_THRESHOLD:
            return (
                f"{alert.threshold} % of the allowance of {funds.month} is used: "
                f"{funds.used} of {funds.allowance} {units}."
            )
        case AlertType.LOW_CREDITS:
            return (
                f"Credits for {funds.available} {units} are left, less than {alert.threshold} % of "
                f"the last upgrade ({funds.upgrade})."
            )
        case _:
            return (
                f"No credits for {units} are left; a send that the month's allowance does not "
                "cover is refused."
            )


def unknown_message(message_id: int) -> str:
    """Say that nobody knows whether a message went out."""
    return (
        f"Message {message_id} ended UNKNOWN: no provider confirmed in time that it has taken it. "
        "What was held for it is released."
    )


def is_degraded(attempts: int, failed: int, *, known: bool) -> bool:
    """Tell whether a provider is degraded: half of a tenant's attempts or more failed.

    While an alert is open (`known`), few attempts suffice, because messages back off.
    """
    return failed * 2 >= attempts >= (1 if known else _DEGRADED_FROM)


def degraded_message(provider: str, attempts: int, failed: int) -> str:
    """Say that a provider keeps failing."""
    return (
        f"Provider {provider} failed in {failed} of the last {attempts} attempts. "
        "What it did not take is tried again."
    )
