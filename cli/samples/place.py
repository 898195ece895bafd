"""Paths of the sample files in the package."""

from pathlib import Path
from typing import Final

RATES: Final = Path(__file__).with_name("rates.csv")
"""A sample rate card: the simulator's prices and observed prices of other providers."""

PRICES: Final = Path(__file__).with_name("prices.csv")
"""A sample price list; it contains the example of the developer guide."""
