"""The workflow that resolves alerts whose cause is gone, and raises those that were missed."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.system.turns import take_turns
    from workflows.system.watcher_types import WatchStep


@workflow.defn(name="watcher")
class Watcher:
    """Watches indefinitely, some merchants per turn: one workflow, started by every worker."""

    @workflow.init
    def __init__(self, step: WatchStep) -> None:
        self._step = step

    @workflow.run
    async def run(self, step: WatchStep) -> None:
        """Run turn after turn, each from where the previous one ended."""
        await take_turns(self._turn)
        workflow.continue_as_new(self._step)

    async def _turn(self) -> timedelta:
        turn = await workflow.execute_activity(steps.watch, self._step, **policies.WATCH)
        self._step = turn.following
        return turn.next_in
