"""Names of provider accounts."""

from typing import Final

DEFAULT_ACCOUNT: Final = "default"
"""The only account of every provider until several can be configured."""

SIMULATOR: Final = "simulator"
"""Account of the built-in simulator."""
