"""What is counted in more than one process: workers and the API see different ends of payments."""

from typing import Final

from prometheus_client import Counter

PAYMENTS_ENDED: Final = Counter(
    "hexavox_payments_ended", "Purchases of credits by the status they ended with", ["status"]
)
"""Counted by whoever committed the end: of the API, news of a charge that came to nothing."""
