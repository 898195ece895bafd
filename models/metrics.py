"""Metrics that several kinds of process count; each sees a part of the events."""

from typing import Final

from prometheus_client import Counter, Gauge

PAYMENTS_ENDED: Final = Counter(
    "hexavox_payments_ended", "Purchases of credits by the status they ended with", ["status"]
)
"""Counted by the process that committed the end; the API counts charges reported as failed."""

REPORT_MISMATCHES: Final = Counter(
    "hexavox_report_mismatches",
    "Reports, answers and texts that were signed and not believed, by what does not belong",
    ["account", "reason"],
)
"""Counted where it is detected: webhooks by the API, polled reports by workers."""

CHARGE_MISMATCHES: Final = Counter(
    "hexavox_charge_mismatches",
    "Signed reports of charges that were not believed, by what does not belong",
    ["gateway", "reason"],
)

ACCOUNT_LIMITS: Final = Counter(
    "hexavox_account_limits",
    "Attempts that reached 80 or 100 % of an account's daily spending limit, or were held back",
    ["account", "percent"],
)
"""Counted by workers."""

PROVIDER_CIRCUIT: Final = Gauge(
    "hexavox_provider_circuit",
    "1 for the state of an account's circuit, as this worker knows it",
    ["account", "state"],
)

PROVIDER_ATTEMPTS: Final = Counter(
    "hexavox_provider_attempts",
    "Calls that sent a message, by their outcome",
    ["account", "outcome"],
)
"""Counted by the worker that made the call; the simulator's are not counted."""

WEBHOOK_ATTEMPTS: Final = Counter(
    "hexavox_webhook_attempts", "Requests to integrators' endpoints, by their outcome", ["outcome"]
)

WEBHOOKS_ENDED: Final = Counter(
    "hexavox_webhooks_ended", "Deliveries of events by the status they ended with", ["status"]
)
"""Counted by the worker that stored the end."""
