"""The workflow that repairs what a crashed process left undone."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.system.turns import take_turns


@workflow.defn(name="sweeper")
class Sweeper:
    """Sweeps indefinitely: one long-lived workflow, started by every worker, running once.

    A schedule with an interval of seconds would create tens of thousands of workflows a day.
    """

    @workflow.run
    async def run(self) -> None:
        """Repeatedly start accepted work that has no running workflow."""
        await take_turns(self._turn)
        workflow.continue_as_new()

    async def _turn(self) -> timedelta:
        swept = await workflow.execute_activity(steps.sweep, **policies.SWEEP)
        return swept.next_in
