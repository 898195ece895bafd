"""Closing days: reports of what is closed are FINAL."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.billing.close_days_types import CloseDaysResult, CloseDaysStep


@workflow.defn(name="close-days")
class CloseDays:
    """Close every day that is due, of every tenant, in batches; started by a schedule.

    What is not closed this time is due the next time.
    """

    @workflow.run
    async def run(self) -> CloseDaysResult:
        """Give every tenant its turn, and return the totals."""
        closed = held = failed = 0
        after: int | None = 0
        while after is not None:
            batch = await workflow.execute_activity(
                steps.close_days, CloseDaysStep(after=after), **policies.CLOSE_DAYS
            )
            closed, held, failed = (
                closed + batch.closed,
                held + batch.held,
                failed + batch.failed,
            )
            after = batch.after
        return CloseDaysResult(closed=closed, held=held, failed=failed)
