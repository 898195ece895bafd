"""Creates the schedule that closes days; every worker does the same.

Not workflow code: it calls the Temporal server through the given client.
"""

from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows import names
from workflows.billing.close_days import CloseDays

_AFTER_THE_HOUR: Final = timedelta(minutes=5)
"""Delay, so that the first run after midnight finds the day settled (`day_closing.RESTS`)."""

_SHORTEST: Final = timedelta(seconds=10)
"""Temporal's shortest catch-up window."""


async def ensure_close_days_schedule(
    client: Client, every: timedelta, *, schedule_id: str = names.CLOSE_DAYS_ID, adjust: bool
) -> None:
    """Create the schedule if it is missing; idempotent, called by every worker.

    Args:
        adjust: also update an existing schedule. Standby workers do not: during an upgrade, two
            releases would overwrite each other's schedule.
    """
    wanted = _closing(every)
    try:
        await client.create_schedule(schedule_id, wanted)
    except ScheduleAlreadyRunningError:
        if not adjust:
            return

        async def replace(found: ScheduleUpdateInput) -> ScheduleUpdate | None:
            there = found.description.schedule
            if there.spec.intervals == wanted.spec.intervals and there.policy == wanted.policy:
                return None
            wanted.state = there.state  # only the operator pauses it
            return ScheduleUpdate(schedule=wanted)

        await client.get_schedule_handle(schedule_id).update(replace)


def _closing(every: timedelta) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            CloseDays.run,
            id=names.CLOSE_DAYS_ID,
            task_queue=names.HOUSEKEEPING,
            static_summary="closes every day that is due",
        ),
        spec=ScheduleSpec(
            intervals=[
                ScheduleIntervalSpec(
                    every=every,
                    offset=_AFTER_THE_HOUR if every > _AFTER_THE_HOUR else None,
                )
            ]
        ),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=max(every, _SHORTEST)
        ),
    )
