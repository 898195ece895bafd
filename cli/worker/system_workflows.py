"""Starts the singleton workflows: sweeper, watcher, and the schedule that closes days.

Every worker does so when it starts and again while it runs, so that they are created anew after
the Temporal server has lost its data.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from workflows import names
from workflows.billing.close_days_schedule import ensure_close_days_schedule
from workflows.client import register_search_attributes
from workflows.system.sweeper import Sweeper
from workflows.system.watcher import Watcher
from workflows.system.watcher_types import WatchStep

log = logging.getLogger(__name__)

_RECHECK_SECONDS: Final = 10.0


async def start_system_workflows(client: Client, close_every: timedelta, *, adjust: bool) -> None:
    """Start the system workflows unless they run; `adjust` updates the interval of the schedule."""
    await start_sweeper(client)
    await start_watcher(client)
    await ensure_close_days_schedule(client, close_every, adjust=adjust)


async def keep_system_workflows(client: Client, close_every: timedelta) -> None:
    """Start the system workflows periodically, in case Temporal has lost its data."""
    while True:
        await asyncio.sleep(_RECHECK_SECONDS)
        try:
            await register_search_attributes(client)
            await start_system_workflows(client, close_every, adjust=False)
        except RPCError as error:
            log.warning("Temporal is unreachable", extra={"reason": error.status.name})


async def start_sweeper(client: Client) -> None:
    """Start the sweeper unless it runs already."""
    await client.start_workflow(
        Sweeper.run,
        id=names.SWEEPER_ID,
        task_queue=names.HOUSEKEEPING,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="starts accepted work that has no running workflow",
    )


async def start_watcher(client: Client) -> None:
    """Start the watcher unless it runs already."""
    await client.start_workflow(
        Watcher.run,
        WatchStep(),
        id=names.WATCHER_ID,
        task_queue=names.HOUSEKEEPING,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="resolves alerts, and raises those that were missed",
    )
