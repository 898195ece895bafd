"""Observability of activities: ids on every log line, duration in /metrics."""

import time
from typing import Any, Final

from prometheus_client import Counter, Histogram
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from models import logs
from models.metrics import PAYMENTS_ENDED
from models.rules.billing.payments import PaymentAction
from workflows.billing.types import PaymentProgress
from workflows.messages.batches.chunk_types import ChunkResult
from workflows.messages.types import DispatchResult, ReconcileResult, SettleResult, Verdict

STEPS: Final = Histogram(
    "hexavox_step_seconds",
    "Duration of workflow steps",
    ["step", "ended"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
VERDICTS: Final = Counter(
    "hexavox_dispatch_verdicts", "What came of handing messages over", ["provider", "verdict"]
)
FINDINGS: Final = Counter("hexavox_reconcile_findings", "What became of lost answers", ["finding"])
ENDINGS: Final = Counter(
    "hexavox_messages_ended", "Messages by the status they ended with", ["status"]
)


class Observed(Interceptor):
    """Wraps every activity of a worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the activity."""
        return _Observing(next)


class _Observing(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        logs.workflow_id.set(info.workflow_id)
        logs.message_id.set(_message_of(input.args[0]) if input.args else None)
        began = time.perf_counter()
        ended = "raised"
        try:
            result = await super().execute_activity(input)
            ended = "returned"
        finally:
            STEPS.labels(info.activity_type, ended).observe(time.perf_counter() - began)
        _count(result)
        return result


def _message_of(step: Any) -> int | None:
    """Return the public id of the message that an activity is about; None if there is none."""
    return (step.public_id or None) if hasattr(step, "message_id") else None


def _count(result: Any) -> None:
    match result:
        case DispatchResult():
            VERDICTS.labels(result.provider or "none", result.verdict).inc()
        case ReconcileResult():
            FINDINGS.labels(result.finding).inc()
        case SettleResult(moved=True):
            ENDINGS.labels(result.status).inc()
        case ChunkResult():
            for account, accepted in result.accepted.items():
                VERDICTS.labels(account, Verdict.ACCEPTED).inc(accepted)
            for status, ended in result.ended.items():
                ENDINGS.labels(status).inc(ended)
        case PaymentProgress(moved=True, next_action=PaymentAction.NONE):
            PAYMENTS_ENDED.labels(result.status).inc()
        case _:
            pass
