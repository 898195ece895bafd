"""Bulkhead: limits the concurrent calls with one account on the fast path."""

from contextlib import ExitStack


class Slots:
    """Counts calls in flight per account, so that a slow one does not block others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, int] = {}

    def take(self, account: str, call_permit: ExitStack) -> bool:
        """Take a slot until `call_permit` is closed; False if none is free."""
        taken = self._taken.get(account, 0)
        if taken >= self._most:
            return False
        self._taken[account] = taken + 1
        call_permit.callback(self._give_back, account)
        return True

    def _give_back(self, account: str) -> None:
        self._taken[account] -= 1
