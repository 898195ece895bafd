"""What is counted in more than one process: workers and the API see different parts of it."""

from typing import Final

from prometheus_client import Counter

PAYMENTS_ENDED: Final = Counter(
    "hexavox_payments_ended", "Purchases of credits by the status they ended with", ["status"]
)
"""Counted by whoever committed the end: of the API, news of a charge that came to nothing."""

REPORT_MISMATCHES: Final = Counter(
    "hexavox_report_mismatches",
    "Reports, answers and texts that were signed and not believed, by what does not belong",
    ["provider", "reason"],
)
"""Counted where it is found out: webhooks by the API, polled reports by workers."""

CHARGE_MISMATCHES: Final = Counter(
    "hexavox_charge_mismatches",
    "Signed news of charges that were not believed, by what does not belong",
    ["gateway", "reason"],
)
