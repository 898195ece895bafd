"""Timeouts and retry policies of every activity, in one table.

Infrastructure failures are retried indefinitely: no policy limits the number of attempts, and where
one limits the total time, the workflow schedules the activity again. A failed local activity is
retried after a timer, which is visible to operators.
"""

from datetime import timedelta
from typing import Final

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig, LocalActivityConfig

from workflows.names import provider_queue

_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
)

_RETRY_PAYMENTS: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
    non_retryable_error_types=["PaymentMissing"],  # no such row: needs an operator
)


def gap_after(attempt: int) -> timedelta:
    """Return the back-off of `_RETRY` after this many attempts."""
    assert _RETRY.maximum_interval is not None
    return min(_RETRY.initial_interval * (1 << min(attempt - 1, 16)), _RETRY.maximum_interval)


TASK_TIMEOUT: Final = timedelta(seconds=5)
"""Of a workflow's tasks: the longest delay of the workflow when its worker is killed."""

_SCHEDULE_TIMEOUT: Final = timedelta(minutes=5)
"""An activity that fails for this long returns to the workflow, which checks its horizon."""

QUEUE_PATIENCE: Final = timedelta(minutes=15)
"""Longest wait in the queue of an account; no worker serves it once the account is taken out."""

_HEARTBEAT_TIMEOUT: Final = timedelta(seconds=5)
"""Longest delay of an activity that sends heartbeats when its worker is killed."""

_NO_LOCAL_RETRIES: Final = timedelta(milliseconds=1)
"""Makes the workflow retry a failed local activity by a timer instead of the SDK's core.

The core (SDK 1.35) would wait itself and return the activity to its worker. It panics if the worker
was shut down meanwhile, and again when the timeout of the first attempt, which it does not cancel,
expires. Zero means no value, and the core's default is a minute.
"""

DISPATCH_BUDGET: Final = timedelta(seconds=20)
"""10 s for HTTP, 1 s to conclude, the rest for waits before the claim: connections, locks,
rendering the text part of an e-mail. A claim is refused if the call could exceed this budget.
"""
DISPATCH_QUEUED_BUDGET: Final = timedelta(seconds=15)
LONGEST_FAST_CALL: Final = timedelta(seconds=10)
"""Calls that may take longer are made only from the account's own queue."""

_BESIDES_SLOW_CALL: Final = timedelta(seconds=15)
"""Budget of a queued dispatch beyond a slow call: waits before the claim, and the conclusion."""


def slow_budget(timeout: timedelta) -> timedelta | None:
    """Return the budget of a queued dispatch for a call with a timeout; None if it is not slow."""
    return timeout + _BESIDES_SLOW_CALL if timeout > LONGEST_FAST_CALL else None


DISPATCH: Final = LocalActivityConfig(
    start_to_close_timeout=DISPATCH_BUDGET,
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_RETRY,
)
RECONCILE: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=_SCHEDULE_TIMEOUT,
    retry_policy=_RETRY,
    summary="reconcile with the provider",
)
POLL: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=_SCHEDULE_TIMEOUT,
    retry_policy=_RETRY,
    summary="poll the provider",
)
SETTLE: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=10),
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_RETRY,
)
ACCEPT_LINES: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=60),
    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
    retry_policy=_RETRY,
    summary="accept lines",
)
CANCEL_MEMBERS: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=60),
    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
    retry_policy=_RETRY,
    summary="cancel waiting messages",
)
CHUNK_CLAIMS_FOR: Final = timedelta(seconds=15)
"""A dispatch of a chunk claims no further members after this."""

DISPATCH_CHUNK_BUDGET: Final = timedelta(seconds=40)
"""The claims, then a call of `LONGEST_FAST_CALL` and its conclusion."""

DISPATCH_CHUNK: Final = ActivityConfig(
    start_to_close_timeout=DISPATCH_CHUNK_BUDGET,
    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
    retry_policy=_RETRY,
    summary="dispatch the chunk",
)
SETTLE_CHUNK: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=30),
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_RETRY,
)
SWEEP: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=90),  # it polls for half a minute
    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
    retry_policy=_RETRY,
    summary="sweep",
)
WATCH: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=60), retry_policy=_RETRY, summary="watch"
)
CHARGE: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=25),  # a look-up, then the charge
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_RETRY_PAYMENTS,
    summary="charge",
)
GRANT: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=10),
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_RETRY_PAYMENTS,
    summary="grant credits",
)
AWAIT_PAYMENT: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
    retry_policy=_RETRY_PAYMENTS,
    summary="await the payment",
)
CANCEL_CHARGE: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=25),  # a look-up, then the cancellation
    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
    retry_policy=_RETRY_PAYMENTS,
    summary="cancel the charge",
)
REFUND: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
    retry_policy=_RETRY_PAYMENTS,
    summary="refund the charge",
)
GRANT_SENDER_SLOTS: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=10),
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_RETRY,
    summary="grant slots of the sender",
)
PROVISION_VOICE: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=_RETRY,
    summary="update the SIP directory",
)
WEBHOOK_TURN: Final = timedelta(seconds=10)
"""A turn starts no further attempts after this."""
WEBHOOK_ATTEMPT: Final = timedelta(seconds=15)
"""Limit of one attempt, from looking up the host to the end of the answer."""
DELIVER_WEBHOOKS: Final = ActivityConfig(
    start_to_close_timeout=WEBHOOK_TURN + WEBHOOK_ATTEMPT + timedelta(seconds=15),
    heartbeat_timeout=_HEARTBEAT_TIMEOUT,
    retry_policy=_RETRY,
    summary="deliver webhooks",
)
CLOSE_DAYS: Final = ActivityConfig(
    start_to_close_timeout=timedelta(minutes=5), retry_policy=_RETRY, summary="close days"
)


def dispatch_queued(account: str, budget: timedelta | None = None) -> ActivityConfig:
    """Return the options of a dispatch in the task queue of one account, within its budget."""
    return ActivityConfig(
        task_queue=provider_queue(account),
        start_to_close_timeout=budget or DISPATCH_QUEUED_BUDGET,
        retry_policy=_RETRY,
        summary=f"dispatch, queued for {account}",
        schedule_to_start_timeout=QUEUE_PATIENCE,
    )


def reconcile_registration(summary: str) -> ActivityConfig:
    """Return the options of reconciling an operation, which may read long lists page by page.

    It sends heartbeats, so that a killed worker is detected nevertheless.
    """
    return ActivityConfig(
        start_to_close_timeout=timedelta(minutes=10),
        heartbeat_timeout=_HEARTBEAT_TIMEOUT,
        retry_policy=_RETRY,
        summary=summary,
    )


def registration(summary: str) -> ActivityConfig:
    """Return the options of one call to a registry, which has 10 s for HTTP.

    Without heartbeats, a killed worker is detected when the timeout expires.
    """
    return ActivityConfig(
        start_to_close_timeout=timedelta(seconds=12), retry_policy=_RETRY, summary=summary
    )
