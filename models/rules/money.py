"""Amounts of USD as reports tell them. Exact decimals; pure."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

_CENT: Final = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    """Return an amount with two decimals, half to even: rounded so once, it is only ever added."""
    return amount.quantize(_CENT, rounding=ROUND_HALF_EVEN)
