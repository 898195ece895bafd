"""What always runs, once for all workers: sweeper, watcher, the schedule that closes days.

Every worker asks for all of them when it starts and again while it runs, so that a Temporal server
that has lost its data knows us again.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from workflows import names
from workflows.billing.close_days_schedule import keep_closing_scheduled
from workflows.client import register_search_attributes
from workflows.system.sweeper import Sweeper
from workflows.system.watcher import Watcher
from workflows.system.watcher_types import WatchStep

log = logging.getLogger(__name__)

_STAND_BY_SECONDS: Final = 10.0


async def start_what_stands(client: Client, close_every: timedelta, *, adjust: bool) -> None:
    """Make sure that all of it runs; `adjust` sets how often days are closed anew."""
    await start_sweeper(client)
    await start_watcher(client)
    await keep_closing_scheduled(client, close_every, adjust=adjust)


async def stand_by(client: Client, close_every: timedelta) -> None:
    """Set Temporal up again should it lose its data while we run: then nobody else does."""
    while True:
        await asyncio.sleep(_STAND_BY_SECONDS)
        try:
            await register_search_attributes(client)
            await start_what_stands(client, close_every, adjust=False)
        except RPCError as error:
            log.warning("Temporal is unreachable", extra={"reason": error.status.name})


async def start_sweeper(client: Client) -> None:
    """Make sure the one sweeper runs; every worker asks, one is enough."""
    await client.start_workflow(
        Sweeper.run,
        id=names.SWEEPER_ID,
        task_queue=names.HOUSEKEEPING,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="starts what was accepted but is not running",
    )


async def start_watcher(client: Client) -> None:
    """Make sure the one watcher runs, likewise."""
    await client.start_workflow(
        Watcher.run,
        WatchStep(),
        id=names.WATCHER_ID,
        task_queue=names.HOUSEKEEPING,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="resolves alerts, and raises those that nobody did",
    )
