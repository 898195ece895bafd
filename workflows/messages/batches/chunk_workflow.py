"""The workflow of a chunk: up to 100 messages of a batch that are sent together."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.messages.batches.chunk_types import (
        ChunkInput,
        ChunkResult,
        ChunkStep,
        SettleChunkStep,
    )

_PAUSE = timedelta(milliseconds=500)
"""Pause after a step that could send no member, because the provider is busy."""

_FIRST_LOOK = timedelta(milliseconds=500)
"""First wait for reports; the following ones grow with the elapsed time."""


@workflow.defn(name="send-chunk")
class SendChunk:
    """Send the members of a chunk, and settle those whose report arrives before the first poll.

    wait until due → dispatch until every member has an attempt → settle what is reported, with
    growing waits. A member that needs more leaves the chunk: its row says so, and a `send-message`
    workflow continues it. Every activity decides by the rows in Postgres, which are the source of
    truth, so that the workflow may end or start again at any time.
    """

    @workflow.init
    def __init__(self, input: ChunkInput) -> None:
        self._input = input

    @workflow.run
    async def run(self, input: ChunkInput) -> None:
        """Return when no member is left."""
        wait = input.due_at - workflow.now()
        if wait > timedelta(0):
            await workflow.sleep(wait, summary="wait until due")
        await self._await_reports(await self._dispatch_all())

    async def _dispatch_all(self) -> ChunkResult:
        """Dispatch until every member has an attempt or has left; settle in between."""
        while True:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._input)
            dispatched = await self._dispatch()
            if not dispatched.unsent:
                return dispatched
            if not dispatched.accepted and not dispatched.left:
                await workflow.sleep(_PAUSE, summary="wait for the provider")
            if dispatched.awaited:
                await self._settle()

    async def _await_reports(self, members: ChunkResult) -> None:
        """Settle what is reported, until the first poll is due; then the others leave."""
        since = workflow.now()
        until = since + self._input.waits.report_wait
        if members.settleable:
            members = await self._settle()
        while members.awaited or members.unsent:
            wait = max(_FIRST_LOOK, (workflow.now() - since) / 4)
            left = max(until - workflow.now(), timedelta(0))
            await workflow.sleep(min(wait, left), summary="wait for reports")
            members = await self._settle(leave=workflow.now() >= until)

    async def _dispatch(self) -> ChunkResult:
        return await workflow.execute_activity(
            steps.dispatch_chunk,
            ChunkStep(
                tenant_id=self._input.tenant_id,
                chunk_id=self._input.chunk_id,
                merchant_id=self._input.merchant_id,
                report_wait=self._input.waits.report_wait,
            ),
            **policies.DISPATCH_CHUNK,
        )

    async def _settle(self, *, leave: bool = False) -> ChunkResult:
        return await workflow.execute_local_activity(
            steps.settle_chunk,
            SettleChunkStep(
                tenant_id=self._input.tenant_id,
                chunk_id=self._input.chunk_id,
                merchant_id=self._input.merchant_id,
                leave=leave,
            ),
            **policies.SETTLE_CHUNK,
        )
