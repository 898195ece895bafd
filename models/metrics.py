"""Metrics that several kinds of process count; each sees a part of the events."""

from typing import Final

from prometheus_client import Counter

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
