"""Watching: alerts are resolved once their cause is gone, and what a process missed is raised."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio import activity

from models.enums import Channel
from models.queries import thresholds, watching
from models.queries.thresholds import Account
from models.queries.watching import Place
from models.session import Database
from workflows.watching_types import WatchResult, WatchStep

_MOST = 300
"""Merchants of one turn; all are looked at in turn."""


class Watching:
    """Looks at what may be warned of. Doing so twice changes nothing."""

    def __init__(self, database: Database, *, every: timedelta, window: timedelta) -> None:
        self._database = database
        self._every = every
        self._window = window

    @activity.defn(name="watch")
    async def watch(self, step: WatchStep) -> WatchResult:
        """Resolve what is over, and hold the next merchants' alerts against what is so.

        Twice is once: an alert is raised if it is not open, and resolved if it is.
        """
        now = datetime.now(UTC)
        after = (step.after_tenant, step.after_merchant)
        async with self._database.transaction() as db:
            await watching.resolve_old(db, now=now, most=1000)
        async with self._database.read() as db:
            merchants = await watching.find_following(db, after, _MOST)
            accounts = {*await watching.find_recovering(db), *_accounts(merchants)}
            standings = await thresholds.read_standings(db, sorted(accounts), now)
            healths = await watching.read_health(db, now - self._window)
        moved = 0
        for standing in standings:
            if not standing.settled:
                async with self._database.transaction() as db:
                    moved += await thresholds.align(db, standing.account, now)
        for health in healths:
            async with self._database.transaction() as db:
                moved += await watching.align_health(db, health, now)
        return WatchResult(moved=moved, following=_following(merchants), next_in=self._every)


def _accounts(merchants: Sequence[Place]) -> list[Account]:
    return [
        Account(tenant_id=tenant_id, merchant_id=merchant_id, channel=channel)
        for tenant_id, merchant_id in merchants
        for channel in Channel
    ]


def _following(merchants: Sequence[Place]) -> WatchStep:
    """Go on after the last merchant; after a turn that was not full, from the beginning."""
    if len(merchants) < _MOST:
        return WatchStep()
    tenant_id, merchant_id = merchants[-1]
    return WatchStep(after_tenant=tenant_id, after_merchant=merchant_id)
