"""Bulkhead: limits the concurrent calls with one account on the fast path.

Chunks get half of the calls at most, so that single sends never wait for a batch.
"""

import asyncio
from contextlib import ExitStack


class Slots:
    """Counts calls in flight per account, so that a slow one does not block others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[str, int] = {}
        self._by_chunks: dict[str, int] = {}
        self._freed = asyncio.Event()

    @property
    def most_of_chunks(self) -> int:
        """Most calls with one account that chunks make at once."""
        return max(1, self._most // 2)

    def free_for_chunks(self, account: str) -> int:
        """Return how many more calls with an account chunks may make now."""
        own = self.most_of_chunks - self._by_chunks.get(account, 0)
        return max(0, min(own, self._most - self._taken.get(account, 0)))

    async def freed(self) -> None:
        """Wait until a slot of any account is given back."""
        self._freed.clear()
        await self._freed.wait()

    def take_for_chunk(self, account: str, call_permit: ExitStack) -> bool:
        """Take a slot for a member of a chunk; False if none is free."""
        if not self.free_for_chunks(account) or not self.take(account, call_permit):
            return False
        self._by_chunks[account] = self._by_chunks.get(account, 0) + 1
        call_permit.callback(self._give_back_by_chunk, account)
        return True

    def take(self, account: str, call_permit: ExitStack) -> bool:
        """Take a slot until `call_permit` is closed; False if none is free."""
        taken = self._taken.get(account, 0)
        if taken >= self._most:
            return False
        self._taken[account] = taken + 1
        call_permit.callback(self._give_back, account)
        return True

    def _give_back_by_chunk(self, account: str) -> None:
        self._by_chunks[account] -= 1

    def _give_back(self, account: str) -> None:
        self._taken[account] -= 1
        self._freed.set()
