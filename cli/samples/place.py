"""Where the samples are that come with the program."""

from pathlib import Path
from typing import Final

RATES: Final = Path(__file__).with_name("rates.csv")
"""A rate card to begin with: the simulator's prices, and what others were seen to take."""

PRICES: Final = Path(__file__).with_name("prices.csv")
"""A price list to begin with; it contains the example of the developer guide."""
