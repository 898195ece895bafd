"""Letting in those who wait in a sender's line."""

import contextlib

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.messages.types import PumpStep

TURNS = 500
"""Turns in one run, so that its history stays short."""


@workflow.defn(name="pump")
class Pump:
    """Let in one sender's line, at its pace: one per busy sender, over when nobody is left.

    Nothing depends on there being one only, or on its clock: moments are booked in Postgres.
    """

    @workflow.init
    def __init__(self, line: PumpStep) -> None:
        self._line = line
        self._joined = False

    @workflow.run
    async def run(self, line: PumpStep) -> None:
        """Take turn after turn."""
        for _ in range(TURNS):
            self._joined = False
            turn = await workflow.execute_local_activity(
                steps.let_in, self._line, **policies.LET_IN
            )
            if turn.next_in is not None:
                with contextlib.suppress(TimeoutError):
                    await workflow.wait_condition(
                        lambda: self._joined, timeout=turn.next_in, timeout_summary="next turn"
                    )
            elif not self._joined:
                return
        workflow.continue_as_new(self._line)

    @workflow.signal
    def joined(self) -> None:
        """Look again: somebody stands in a line that was empty."""
        self._joined = True
