"""How long a send, a purchase of credits and a registration wait for what."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SendWaits:
    """The waits of one send. They come with its order, so that its history explains itself."""

    report_wait: timedelta
    """For a report, before the provider is asked."""
    poll_first: timedelta
    """Between two questions, growing with the time already spent."""
    poll_longest: timedelta
    reconcile_every: timedelta
    """Between two looks into a lost answer, growing likewise."""
    reconcile_horizon: timedelta
    """After this without truth the message ends UNKNOWN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentWaits:
    """The waits of one purchase of credits. They come with its order, likewise."""

    news_wait: timedelta
    """For the gateway's webhook, before the gateway is asked."""
    poll_first: timedelta
    """Between two questions, growing with the time already spent."""
    poll_longest: timedelta
    retry_every: timedelta
    """Between two tries to charge, call off or refund, growing likewise."""
    horizon: timedelta
    """After this, from acceptance, without money the charge is called off."""
    mismatch_wait: timedelta = timedelta(hours=1)
    """For the right amount, after another was charged; then that is refunded."""
    refund_wait: timedelta = timedelta(hours=72)
    """For a refund, from when it is due; then an operator is alerted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationWaits:
    """The waits of one registration; they come with its order, as those of a send."""

    ask_first: timedelta
    """Between two questions, growing with the time already spent: registrations take days."""
    ask_longest: timedelta
    reconcile_every: timedelta
    """Between two looks into a lost answer, growing likewise."""
