"""Resolves alerts whose cause is gone, and raises those that a process missed."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio import activity

from activities.system.each import act_on_each
from models.enums import Channel
from models.queries.alerts import threshold_alerts, watcher
from models.queries.alerts.threshold_alerts import Account
from models.queries.alerts.watcher import Place
from models.session import Database, WriteSession
from workflows.system.watcher_types import WatchResult, WatchStep

Item = TypeVar("Item")

_MERCHANTS = 300
"""Merchants per turn; successive turns cover all."""

_MOST = 1000
"""Alerts that are resolved by age per turn."""


class Watching:
    """Checks the conditions of alerts. Idempotent."""

    def __init__(
        self,
        database: Database,
        *,
        every: timedelta,
        window: timedelta,
        merchants: int = _MERCHANTS,
    ) -> None:
        self._database = database
        self._merchants = merchants
        self._every = every
        self._window = window

    @activity.defn(name="watch")
    async def watch(self, step: WatchStep) -> WatchResult:
        """Resolve alerts that are over, and align the next merchants' alerts with their balances.

        Idempotent: an alert is raised only if it is not open, and resolved only if it is.
        """
        now = datetime.now(UTC)
        after = (step.after_tenant, step.after_merchant)
        async with self._database.transaction() as db:
            await watcher.resolve_old(db, now=now, most=_MOST)
        async with self._database.read() as db:
            merchants = await watcher.find_following(db, after, self._merchants)
            accounts = {*await watcher.find_recovering(db), *_accounts(merchants)}
            all_balances = await threshold_alerts.read_balances(db, sorted(accounts), now)
            healths = await watcher.read_health(db, now - self._window)
        unsettled = [balances.account for balances in all_balances if not balances.settled]
        moved = await self._each(threshold_alerts.align, unsettled, now)
        moved += await self._each(watcher.align_health, healths, now)
        return WatchResult(moved=moved, following=self._following(merchants), next_in=self._every)

    def _following(self, merchants: Sequence[Place]) -> WatchStep:
        """Continue after the last merchant; after a turn that was not full, from the start."""
        if len(merchants) < self._merchants:
            return WatchStep()
        tenant_id, merchant_id = merchants[-1]
        return WatchStep(after_tenant=tenant_id, after_merchant=merchant_id)

    async def _each(
        self,
        act: Callable[[WriteSession, Item, datetime], Awaitable[bool]],
        items: Sequence[Item],
        now: datetime,
    ) -> int:
        """Process every item in its own transaction, and count the changes."""

        async def in_transaction(item: Item) -> bool:
            async with self._database.transaction() as db:
                return await act(db, item, now)

        return await act_on_each(in_transaction, items, at_once=1)


def _accounts(merchants: Sequence[Place]) -> list[Account]:
    return [
        Account(tenant_id=tenant_id, merchant_id=merchant_id, channel=channel)
        for tenant_id, merchant_id in merchants
        for channel in Channel
    ]
