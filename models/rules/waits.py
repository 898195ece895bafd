"""Waits and horizons of sends, purchases of credits and registrations."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SendWaits:
    """Waits of one send. They are part of the workflow's input, so its history explains itself."""

    report_wait: timedelta
    """For a report, before the provider is polled."""
    poll_first: timedelta
    """Between two polls; grows with the elapsed time."""
    poll_longest: timedelta
    reconcile_every: timedelta
    """Between two reconciliations of a lost answer; grows likewise."""
    reconcile_horizon: timedelta
    """A message whose outcome is still unknown after this ends UNKNOWN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentWaits:
    """Waits of one purchase of credits; part of the workflow's input."""

    news_wait: timedelta
    """For the gateway's webhook, before the gateway is polled."""
    poll_first: timedelta
    """Between two polls; grows with the elapsed time."""
    poll_longest: timedelta
    retry_every: timedelta
    """Between two tries to charge, cancel or refund; grows likewise."""
    horizon: timedelta
    """Since acceptance. A charge without an outcome is then canceled."""
    mismatch_wait: timedelta = timedelta(hours=1)
    """For the right amount, after another was charged; then that is refunded."""
    refund_wait: timedelta = timedelta(hours=72)
    """For a refund, from when it is due; then an operator is alerted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationWaits:
    """Waits of one registration; part of the workflow's input."""

    ask_first: timedelta
    """Between two polls; grows with the elapsed time, because registrations take days."""
    ask_longest: timedelta
    reconcile_every: timedelta
    """Between two reconciliations of a lost answer; grows likewise."""


def growing_gap(waited: timedelta, first: timedelta, longest: timedelta) -> timedelta:
    """Return the time until the next check of a message that has waited so long.

    It is a twentieth of the wait, so that a wait of days takes few checks.
    """
    return min(max(first, waited / 20), longest)
