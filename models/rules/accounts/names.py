"""Names of provider accounts."""

from typing import Final

DEFAULT_ACCOUNT: Final = "default"
"""Account of rows that name none."""

SIMULATOR: Final = "simulator"
"""Account of the built-in simulator."""

RESERVED: Final = frozenset(
    {
        *(SIMULATOR, DEFAULT_ACCOUNT, "kamailio"),
        *("inbound", "events", "registrations", "payments"),  # parts of webhook addresses
    }
)
"""Names that no account of the providers file has."""
