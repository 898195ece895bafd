"""The workflow of one batch: accepts its lines, and cancels its waiting messages."""

import contextlib

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.messages.batches.types import (
        AcceptLinesResult,
        AcceptLinesStep,
        BatchInput,
        CancelMembersStep,
    )


@workflow.defn(name="send-batch")
class SendBatch:
    """Decide every line of a batch; the messages are sent by other workflows.

    Which lines are decided, and whether the batch is canceled, is stored in Postgres. The workflow
    ends when all lines are decided and, of a canceled batch, no message waits any more.
    """

    @workflow.init
    def __init__(self, input: BatchInput) -> None:
        self._input = input
        self._canceled = False

    @workflow.run
    async def run(self, input: BatchInput) -> None:
        """Accept lines page by page, then cancel if that is wanted."""
        while True:
            self._canceled = False
            result = await self._accept_lines()
            if result.wait is not None:
                await self._pause(result)
            elif result.decided:
                if result.canceled:
                    await self._cancel_members()
                if not self._canceled:
                    return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._input)

    @workflow.signal
    def batch_canceled(self) -> None:
        """The batch was canceled: read its row again."""
        self._canceled = True

    async def _accept_lines(self) -> AcceptLinesResult:
        """Decide the next lines, or read that none is left."""
        step = AcceptLinesStep(
            tenant_id=self._input.tenant_id,
            batch_id=self._input.batch_id,
            public_id=self._input.public_id,
            waits=self._input.waits,
        )
        return await workflow.execute_activity(steps.accept_lines, step, **policies.ACCEPT_LINES)

    async def _pause(self, result: AcceptLinesResult) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._canceled, timeout=result.wait, timeout_summary="wait for capacity"
            )

    async def _cancel_members(self) -> None:
        """Cancel the waiting messages until none waits."""
        step = CancelMembersStep(
            tenant_id=self._input.tenant_id,
            batch_id=self._input.batch_id,
            public_id=self._input.public_id,
            merchant_id=self._input.merchant_id,
        )
        more = True
        while more:
            result = await workflow.execute_activity(
                steps.cancel_members, step, **policies.CANCEL_MEMBERS
            )
            more = result.more
