"""The chores that keep promises when a process died at the wrong moment."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.system.turns import take_turns


@workflow.defn(name="sweeper")
class Sweeper:
    """Sweep for ever: one long-lived workflow, started by every worker, running once.

    A schedule every few seconds would leave tens of thousands of workflows a day.
    """

    @workflow.run
    async def run(self) -> None:
        """Start what was accepted but is not running, again and again."""
        await take_turns(self._turn)
        workflow.continue_as_new()

    async def _turn(self) -> timedelta:
        swept = await workflow.execute_activity(steps.sweep, **policies.SWEEP)
        return swept.next_in
