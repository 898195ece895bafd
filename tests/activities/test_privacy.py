"""Errors of activities reach Temporal as their type only."""

from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.system.privacy import PrivateFailures
from tests.factories import unique

NUMBER = "+18135551234"


class DriverError(Exception):
    """An error that quotes its input, as a database driver does."""


@activity.defn
async def quotes_a_number() -> None:
    """Fail like a database driver."""
    try:
        raise KeyError(NUMBER)
    except KeyError as error:
        raise DriverError(f"value {NUMBER} is too long") from error


@activity.defn
async def says_so_on_purpose() -> None:
    """Fail with a message that was chosen for Temporal."""
    raise ApplicationError("the queue is gone", type="QueueGone", non_retryable=True)


@workflow.defn
class Asking:
    """Runs one activity once."""

    @workflow.run
    async def run(self, step: str) -> None:
        """Run the activity."""
        await workflow.execute_activity(
            step,
            start_to_close_timeout=timedelta(seconds=5),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


async def failure_of(client: Client, step: str) -> tuple[ApplicationError, str]:
    """Return the failure of an activity, and the whole history with it."""
    queue = unique("privacy")
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Asking],
        activities=[quotes_a_number, says_so_on_purpose],
        interceptors=[PrivateFailures()],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await client.start_workflow(Asking.run, step, id=queue, task_queue=queue)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ActivityError)
    assert isinstance(failed.value.cause.cause, ApplicationError)
    return failed.value.cause.cause, (await handle.fetch_history()).to_json()


async def test_only_the_type_of_an_unexpected_error_is_reported(client: Client) -> None:
    error, history = await failure_of(client, "quotes_a_number")
    assert (error.type, error.non_retryable) == ("DriverError", False)
    assert error.message == "DriverError; details are in the worker's log"
    assert error.cause is None
    assert NUMBER not in history
    assert NUMBER.removeprefix("+") not in history


async def test_an_application_error_is_reported_unchanged(client: Client) -> None:
    error, _ = await failure_of(client, "says_so_on_purpose")
    assert (error.type, error.message) == ("QueueGone", "the queue is gone")
    assert error.non_retryable
