"""Letting in those who wait in a sender's line."""

import contextlib

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.messages.types import SenderQueueStep

TURNS = 500
"""Turns in one run, so that its history stays short."""


@workflow.defn(name="sender-queue")
class SenderQueue:
    """Let in one sender's line, at its pace: one per busy sender, over when nobody is left.

    Nothing depends on there being one only, or on its clock: moments are booked in Postgres.
    """

    @workflow.init
    def __init__(self, line: SenderQueueStep) -> None:
        self._line = line
        self._message_queued = False

    @workflow.run
    async def run(self, line: SenderQueueStep) -> None:
        """Take turn after turn."""
        for _ in range(TURNS):
            self._message_queued = False
            turn = await workflow.execute_local_activity(
                steps.grant_sender_slots, self._line, **policies.GRANT_SENDER_SLOTS
            )
            if turn.next_in is not None:
                with contextlib.suppress(TimeoutError):
                    await workflow.wait_condition(
                        lambda: self._message_queued,
                        timeout=turn.next_in,
                        timeout_summary="next turn",
                    )
            elif not self._message_queued:
                return
        workflow.continue_as_new(self._line)

    @workflow.signal
    def message_queued(self) -> None:
        """Look again: somebody stands in a line that was empty."""
        self._message_queued = True
