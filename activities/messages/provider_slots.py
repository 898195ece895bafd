"""Bulkhead: limits the concurrent calls to one provider on the fast path."""

from contextlib import ExitStack


class Slots:
    """Counts calls in flight per provider, so that a slow provider does not block others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, int] = {}

    def take(self, provider: str, call_permit: ExitStack) -> bool:
        """Take a slot until `call_permit` is closed; False if none is free."""
        taken = self._taken.get(provider, 0)
        if taken >= self._most:
            return False
        self._taken[provider] = taken + 1
        call_permit.callback(self._give_back, provider)
        return True

    def _give_back(self, provider: str) -> None:
        self._taken[provider] -= 1
