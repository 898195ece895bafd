"""How the closing of days is scheduled, the same way by every worker.

Not workflow code: it talks to the server through the client it is given.
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
"""So that the first turn after midnight finds the day at rest."""

_SHORTEST: Final = timedelta(seconds=10)
"""Temporal looks no less far back for turns that were missed."""


async def ensure_close_days_schedule(
    client: Client, every: timedelta, *, schedule_id: str = names.CLOSE_DAYS_ID, adjust: bool
) -> None:
    """Make sure that days are closed again and again; every worker asks, one schedule is enough.

    Args:
        adjust: also make one that is there be as we want it. Who only stands by does not: two
            releases would change it to and fro.
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
            wanted.state = there.state  # whether it is paused is the operator's word
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
