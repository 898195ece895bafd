"""Keeps private data out of Temporal: of an unexpected error only the type is recorded.

A database driver quotes values in its messages, and the failure of an activity becomes part of the
history, which everyone with access to the Temporal UI can read.
"""

import logging
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

log = logging.getLogger(__name__)


class PrivateFailures(Interceptor):
    """Replaces every unexpected exception of an activity by its type's name."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap the activity."""
        return _Redacting(super().intercept_activity(next))


class _Redacting(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except FailureError:
            raise
        except Exception as error:
            info = activity.info()
            log.warning(
                "step failed and will be retried",
                extra={"step": info.activity_type, "try": info.attempt},
                exc_info=error,
            )
            word = type(error).__name__
        raise ApplicationError(f"{word}; details are in the worker's log", type=word)
