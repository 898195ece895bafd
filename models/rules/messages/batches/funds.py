"""Holds units for the lines of a batch one after another, as single sends would. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Units of one message: the parts from the month's allowance and from credits.

    `balance` is the available credits afterwards.
    """

    allowance: int
    credits: int
    balance: int


@dataclass(slots=True, kw_only=True)
class Funds:
    """What a merchant may still use of a month's allowance and of credits, under their locks."""

    allowance: int
    """Units of the month that are neither used nor held."""
    credits: int
    """Available credits."""
    open: bool = True
    """False: the merchant has no account of this channel, so nothing is funded."""
    drawn: int = 0
    """Units that were held of the allowance."""
    credited: int = 0
    """Units that were held of credits."""

    def available(self, units: int) -> int:
        """Return how many of these units are covered."""
        return min(units, self.allowance) + self.credits if self.open else 0

    def quote(self, units: int) -> Hold | None:
        """Return the hold of a message, allowance first; None if it is not covered."""
        allowance = min(units, self.allowance)
        credits = units - allowance
        if not self.open or credits > self.credits:
            return None
        return Hold(allowance=allowance, credits=credits, balance=self.credits - credits)

    def take(self, hold: Hold) -> None:
        """Take the units of a hold that was quoted last."""
        self.allowance -= hold.allowance
        self.credits -= hold.credits
        self.drawn += hold.allowance
        self.credited += hold.credits
