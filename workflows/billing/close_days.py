"""The workflow that closes days; reports of closed days are FINAL."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies, steps
    from workflows.billing.close_days_types import CloseDaysResult, CloseDaysStep


@workflow.defn(name="close-days")
class CloseDays:
    """Closes every day that is due, of every tenant, in batches; started by a schedule.

    Days that cannot be closed now are due again the next time.
    """

    @workflow.run
    async def run(self) -> CloseDaysResult:
        """Process all tenants in batches, and return the totals."""
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
