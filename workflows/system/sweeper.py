"""The chores that keep promises when a process died at the wrong moment."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps

TURNS = 500
"""Sweeps in one run, so that its history stays short."""


@workflow.defn(name="sweeper")
class Sweeper:
    """Sweep for ever: one long-lived workflow, started by every worker, running once.

    A schedule every few seconds would leave tens of thousands of workflows a day.
    """

    @workflow.run
    async def run(self) -> None:
        """Start what was accepted but is not running, again and again."""
        for _ in range(TURNS):
            swept = await workflow.execute_activity(steps.sweep, **policies.SWEEP)
            await workflow.sleep(swept.next_in)
        workflow.continue_as_new()
