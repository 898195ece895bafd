"""The budget of every step, in one table.

Infrastructure is never given up on: no policy limits the number of attempts, and where one limits
the time of a question, the workflow asks it again. A local step that fails is tried again after a
timer that operators can see.
"""

from datetime import timedelta
from typing import Final

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig, LocalActivityConfig

from workflows.names import provider_queue

_PATIENT: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
)

_PATIENT_WITH_MONEY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
    non_retryable_error_types=["PaymentMissing"],  # no such row: somebody has to look
)


def gap_after(attempt: int) -> timedelta:
    """Return how long `_PATIENT` waits after so many tries."""
    assert _PATIENT.maximum_interval is not None
    return min(_PATIENT.initial_interval * (1 << min(attempt - 1, 16)), _PATIENT.maximum_interval)


_ASKED_ANEW: Final = timedelta(minutes=5)
"""A question that cannot be put for so long is put anew, so that its horizon is looked at."""

_ALIVE: Final = timedelta(seconds=5)
"""A worker that is killed amid a step that tells of its life costs it at most this."""

_NO_LOCAL_RETRIES: Final = timedelta(milliseconds=1)
"""A failed local step is tried again by a timer of its workflow, not by the SDK's core.

The core (SDK 1.35) would wait by itself and hand the step back to its worker. It panics if that was
shut down meanwhile, and again when the time-out of the first try, which it forgets to stop, is
over. Zero would be taken for no value, and the core's own is a minute.
"""

DISPATCH_BUDGET: Final = timedelta(seconds=20)
"""10 s for HTTP, 1 s to conclude, the rest for what is waited for before the claim: connections,
locks, the text part of an e-mail. Nothing is claimed that the call might carry beyond this.
"""
DISPATCH_QUEUED_BUDGET: Final = timedelta(seconds=15)
DISPATCH: Final = LocalActivityConfig(
    start_to_close_timeout=DISPATCH_BUDGET,
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_PATIENT,
)
RECONCILE: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=_ASKED_ANEW,
    retry_policy=_PATIENT,
    summary="did the provider take it?",
)
POLL: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=_ASKED_ANEW,
    retry_policy=_PATIENT,
    summary="what became of it?",
)
SETTLE: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=10),
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_PATIENT,
)
SWEEP: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=90),  # it watches for half a minute
    heartbeat_timeout=_ALIVE,
    retry_policy=_PATIENT,
    summary="sweep",
)
WATCH: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=60), retry_policy=_PATIENT, summary="watch"
)
CHARGE: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=25),  # a look-up, then the charge
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_PATIENT_WITH_MONEY,
    summary="charge",
)
GRANT: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=10),
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_PATIENT_WITH_MONEY,
    summary="grant credits",
)
AWAIT_PAYMENT: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    heartbeat_timeout=_ALIVE,
    retry_policy=_PATIENT_WITH_MONEY,
    summary="was it paid?",
)
CANCEL_CHARGE: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=25),  # a look-up, then the cancellation
    heartbeat_timeout=_ALIVE,
    retry_policy=_PATIENT_WITH_MONEY,
    summary="cancel the charge",
)
REFUND: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    heartbeat_timeout=_ALIVE,
    retry_policy=_PATIENT_WITH_MONEY,
    summary="refund",
)
GRANT_SENDER_SLOTS: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=10),
    local_retry_threshold=_NO_LOCAL_RETRIES,
    retry_policy=_PATIENT,
    summary="grant slots",
)
PROVISION_VOICE: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=_PATIENT,
    summary="tell the SIP directory",
)
CLOSE_DAYS: Final = ActivityConfig(
    start_to_close_timeout=timedelta(minutes=5), retry_policy=_PATIENT, summary="close days"
)


def dispatch_queued(provider: str) -> ActivityConfig:
    """Return the budget of a hand-over that waits in the line of one provider."""
    return ActivityConfig(
        task_queue=provider_queue(provider),
        start_to_close_timeout=DISPATCH_QUEUED_BUDGET,
        retry_policy=_PATIENT,
        summary=f"dispatch, queued for {provider}",
    )


def reconcile_registration(summary: str) -> ActivityConfig:
    """Return the budget of a look for a lost answer: it may read long lists, page by page.

    It tells that it lives, so that a worker that is killed is noticed all the same.
    """
    return ActivityConfig(
        start_to_close_timeout=timedelta(minutes=10),
        heartbeat_timeout=_ALIVE,
        retry_policy=_PATIENT,
        summary=summary,
    )


def registration(summary: str) -> ActivityConfig:
    """Return the budget of one call to a registry: it has 10 s for HTTP.

    A worker that is killed during it is noticed only when the rest has passed.
    """
    return ActivityConfig(
        start_to_close_timeout=timedelta(seconds=12), retry_policy=_PATIENT, summary=summary
    )
