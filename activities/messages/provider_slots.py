"""The bulkhead: how many calls one provider may have in flight on the fast path."""

from contextlib import ExitStack


class Slots:
    """Calls in flight per provider in this process: one slow vendor must not stop the others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, int] = {}

    def take(self, provider: str, held: ExitStack) -> bool:
        """Occupy a slot until `held` is closed; False if there is none left."""
        taken = self._taken.get(provider, 0)
        if taken >= self._most:
            return False
        self._taken[provider] = taken + 1
        held.callback(self._give_back, provider)
        return True

    def _give_back(self, provider: str) -> None:
        self._taken[provider] -= 1
