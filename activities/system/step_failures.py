"""Counts failures of a send's activities caused by the message, and ends hopeless messages.

The count is written in its own transaction, because the activity's transaction is rolled back.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from prometheus_client import Counter
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from models.enums import ErrorCode
from models.queries.messages import waiting
from models.queries.system import step_failures
from models.queries.system.step_failures import NotedFailure
from models.rules.system.failures import MOST_FAILURES, back_off, caused_by_input
from models.session import Database
from workflows import policies
from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    PollStep,
    ReconcileStep,
    SettleStep,
    Verdict,
)

log = logging.getLogger(__name__)

FAILURES: Final = Counter(
    "hexavox_input_failures", "Steps that failed by their message, not by infrastructure", ["step"]
)

_PUT_OFF_PATIENCE: Final = 1.0
"""Timeout in seconds; the failure must be reported to the workflow soon."""

SendStep: TypeAlias = DispatchStep | ReconcileStep | PollStep | SettleStep


class CountedFailures(Interceptor):
    """Wraps the activities of a send; all others pass unchanged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the activity."""
        return _Counting(next, self._database)


class _Counting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, database: Database) -> None:
        super().__init__(next)
        self._database = database

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        step = input.args[0] if input.args else None
        try:
            return await super().execute_activity(input)
        except Exception as error:
            if not isinstance(step, SendStep):
                raise
            noted = await self._note(step, error) if caused_by_input(error) else None
            if noted is None:
                if isinstance(step, DispatchStep):
                    await self._postpone(step, policies.gap_after(activity.info().attempt))
                raise
            reason = type(error).__name__
        if isinstance(step, DispatchStep):
            handed = _without_dispatch(noted)
            await self._postpone(step, back_off(noted.failures) if handed is None else None)
            if handed is not None:
                return handed
        if isinstance(step, ReconcileStep | PollStep):
            # The workflow repeats the activity until its horizon, with growing gaps.
            raise ApplicationError(f"{reason}; details are in the worker's log", type=reason)
        raise ApplicationError(
            f"{reason}; details are in the worker's log",
            type=reason,
            next_retry_delay=back_off(noted.failures),
        )

    async def _postpone(self, step: DispatchStep, gap: timedelta | None) -> None:
        """Exclude a failed message from the lag until its next try has ended, or for good if None.

        Otherwise one stuck message would look like overloaded workers.
        """
        ready_at = None if gap is None else datetime.now(UTC) + gap + policies.DISPATCH_BUDGET
        try:
            async with asyncio.timeout(_PUT_OFF_PATIENCE), self._database.statement() as db:
                await waiting.postpone(
                    db,
                    tenant_id=step.tenant_id,
                    message_id=step.message_id,
                    public_id=step.public_id,
                    ready_at=ready_at,
                )
        except Exception as error:
            log.warning("a wait could not be stored", extra={"reason": type(error).__name__})

    async def _note(self, step: SendStep, error: Exception) -> NotedFailure | None:
        """Count a failure; None if that is not possible: then the activity is retried."""
        name = _name_of(step)
        FAILURES.labels(name).inc()
        try:
            async with self._database.statement() as db:
                noted = await step_failures.note(
                    db,
                    tenant_id=step.tenant_id,
                    message_id=step.message_id,
                    step=name,
                    reason=type(error).__name__,
                    now=datetime.now(UTC),
                )
        except Exception as uncounted:
            log.warning(
                "a failure could not be counted", extra={"reason": type(uncounted).__name__}
            )
            return None
        log.error(
            "step failed because of its input",
            extra={"step": name, "tenant_id": step.tenant_id, "failures": noted.failures},
            exc_info=error,
        )
        return noted


def _name_of(step: SendStep) -> str:
    """Return the name that a failure is counted under; both dispatch activities share one."""
    name = activity.info().activity_type
    return "dispatch" if isinstance(step, DispatchStep) else name


def _without_dispatch(noted: NotedFailure) -> DispatchResult | None:
    """Return the result that replaces a retry; None if the activity is retried.

    A message that a provider has or may have is never ended here.
    """
    if noted.open:
        return DispatchResult(verdict=Verdict.AMBIGUOUS)
    if noted.taken:
        return DispatchResult(verdict=Verdict.ACCEPTED)
    if noted.failures >= MOST_FAILURES:
        return DispatchResult(verdict=Verdict.BLOCKED, error_code=ErrorCode.UNPROCESSABLE)
    return None
