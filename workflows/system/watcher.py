"""Watching over what nobody asks for: warnings that end by themselves, and those nobody raised."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.system.watcher_types import WatchStep

TURNS = 500
"""Turns in one run, so that its history stays short."""


@workflow.defn(name="watcher")
class Watcher:
    """Watch for ever, some merchants a turn: one long-lived workflow, started by every worker."""

    @workflow.run
    async def run(self, step: WatchStep) -> None:
        """Take turn after turn, each from where the last one ended."""
        for _ in range(TURNS):
            turn = await workflow.execute_activity(steps.watch, step, **policies.WATCH)
            step = turn.following
            await workflow.sleep(turn.next_in)
        workflow.continue_as_new(step)
