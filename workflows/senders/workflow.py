"""Grants the slots of a rate-limited sender to the messages queued for it."""

import contextlib

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.senders.types import SenderQueueStep

TURNS = 500
"""Turns per run, to keep the history short."""


@workflow.defn(name="sender-queue")
class SenderQueue:
    """Grants slots at the rate of one sender; ends when no message is queued for it.

    Correctness does not depend on a single run or on a clock: slots are reserved in Postgres.
    """

    @workflow.init
    def __init__(self, queue: SenderQueueStep) -> None:
        self._queue = queue
        self._message_queued = False

    @workflow.run
    async def run(self, queue: SenderQueueStep) -> None:
        """Grant slots turn by turn."""
        for _ in range(TURNS):
            self._message_queued = False
            turn = await workflow.execute_local_activity(
                steps.grant_sender_slots, self._queue, **policies.GRANT_SENDER_SLOTS
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
        workflow.continue_as_new(self._queue)

    @workflow.signal
    def message_queued(self) -> None:
        """A message was queued while the queue was empty: run another turn."""
        self._message_queued = True
