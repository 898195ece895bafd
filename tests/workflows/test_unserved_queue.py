"""A dispatch in the queue of an account that no worker serves any more."""

from datetime import timedelta
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ActivityError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from workflows import policies, steps
from workflows.messages.types import DispatchStep
from workflows.messages.workflow import never_started


@workflow.defn(name="dispatch-in-an-unserved-queue")
class Unserved:
    """Dispatches in a queue with a shorter patience than that of sends."""

    @workflow.run
    async def run(self, account: str, seconds: float) -> list[bool]:
        """Return whether the dispatch was taken for one that never started."""
        options = policies.dispatch_queued(account)
        assert options["schedule_to_start_timeout"] == policies.QUEUE_PATIENCE
        options["schedule_to_start_timeout"] = timedelta(seconds=seconds)
        try:
            await workflow.execute_activity(
                steps.dispatch_queued, DispatchStep(tenant_id=1, message_id=2), **options
            )
        except ActivityError as error:
            return [never_started(error)]
        return []


async def test_a_dispatch_that_no_worker_takes_is_known_not_to_have_started(client: Client) -> None:
    queue = f"test-{uuid4()}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Unserved],
        workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_failure_exception_types=[Exception],
    ):
        found = await client.execute_workflow(
            Unserved.run, args=[f"gone-{uuid4()}", 0.5], id=queue, task_queue=queue
        )
    assert found == [True]
