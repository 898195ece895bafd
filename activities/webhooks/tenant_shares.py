"""The share of a worker's turns that one tenant may use at once."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Final

TURNS_PER_TENANT: Final = 40
FAILING_PER_TENANT: Final = 20
"""Of them, for endpoints whose last attempt failed: the others do not wait behind those."""

_APART: Final = 0.1
"""Seconds between two turns of a tenant that look again, because each costs some steps of a
workflow, on machines that all tenants use.
"""
_LONGEST: Final = 60.0
"""Seconds; well below `wake_ups.LOST_AFTER`, because a turn notes that its workflow is awake."""


class TenantShares:
    """Counts the turns that run, per tenant; shared by all turns of a worker.

    It remembers only tenants that have a turn running.
    """

    def __init__(
        self,
        *,
        most: int = TURNS_PER_TENANT,
        failing: int = FAILING_PER_TENANT,
        passed: Callable[[], float] = monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._most = most
        self._most_failing = failing
        self._passed = passed
        self._random = random
        self._turns: Counter[int] = Counter()
        self._failing: Counter[int] = Counter()
        self._paused_until: dict[tuple[int, bool], float] = {}

    @contextmanager
    def turn(self, tenant_id: int, *, failing: bool) -> Iterator[timedelta | None]:
        """Count a turn while the block runs.

        Yields a pause instead, and counts nothing, if the tenant's share is in use: the turn ends
        at once, so that its slot is free for other tenants, and is run again after the pause.
        """
        if self._is_used_up(tenant_id, failing=failing):
            yield self.pause(tenant_id, failing=failing)
            return
        self._turns[tenant_id] += 1
        self._failing[tenant_id] += failing
        try:
            yield None
        finally:
            self._turns[tenant_id] -= 1
            self._failing[tenant_id] -= failing
            if not self._turns[tenant_id]:
                self._forget(tenant_id)

    def pause(self, tenant_id: int, *, failing: bool) -> timedelta:
        """Return when a turn that may not deliver now looks again.

        From 1 to 3 s, and more if many turns of the tenant do so. To be called while a turn of the
        tenant is counted.
        """
        now = self._passed()
        waits = max(self._paused_until.get((tenant_id, failing), now) - now, 0.0)
        self._paused_until[tenant_id, failing] = now + min(waits + _APART, _LONGEST)
        return timedelta(seconds=waits + 1 + 2 * self._random())

    def _is_used_up(self, tenant_id: int, *, failing: bool) -> bool:
        if self._turns[tenant_id] >= self._most:
            return True
        return failing and self._failing[tenant_id] >= self._most_failing

    def _forget(self, tenant_id: int) -> None:
        del self._turns[tenant_id]
        del self._failing[tenant_id]
        for failing in (True, False):
            self._paused_until.pop((tenant_id, failing), None)
