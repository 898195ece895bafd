"""Paths of the workflow that delivers webhooks, for `tests.replay.record`."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle

from tests.fakes import fake
from tests.workflows.harness import until
from workflows import names, steps
from workflows.webhooks.start import wake_webhooks
from workflows.webhooks.types import DeliverResult, WebhookEndpointInput
from workflows.webhooks.workflow import DeliverWebhooks

Serve = Callable[[str, list[Any]], AbstractAsyncContextManager[Any]]
TimersSet = Callable[[WorkflowHandle[Any, Any], int], Callable[[], Awaitable[bool]]]


@dataclass(frozen=True, kw_only=True)
class Script:
    """Answers of the step, and after how many timers signals arrive."""

    deliver: Sequence[Any]
    signal_after: Sequence[int] = ()


_AWAY: Final = ConnectionError("no database")
_SOON: Final = timedelta(milliseconds=200)
_ENDED: Final = DeliverResult(succeeded=1)

WORKFLOWS: Final = {
    "deliver-webhooks.delivered": Script(deliver=[_ENDED]),
    "deliver-webhooks.more-due": Script(
        deliver=[DeliverResult(succeeded=90, next_in=timedelta(0)), _AWAY, _ENDED]
    ),
    "deliver-webhooks.retried": Script(deliver=[DeliverResult(failed=1, next_in=_SOON), _ENDED]),
    "deliver-webhooks.event-while-waiting": Script(
        deliver=[DeliverResult(failed=1, next_in=timedelta(hours=1)), _ENDED], signal_after=[1]
    ),
    "deliver-webhooks.pausing": Script(
        deliver=[DeliverResult(failed=1, next_in=2 * _SOON, pausing=True), _ENDED], signal_after=[1]
    ),
}
"""Every path of the workflow. A new branch needs a new line here."""

PATHS: Final = [*WORKFLOWS]


async def record_webhooks(
    client: Client, name: str, serve: Serve, timers_set: TimersSet
) -> dict[str, Any]:
    """Run one path and return its history."""
    script = WORKFLOWS[name]
    row = PATHS.index(name) + 1
    endpoint = WebhookEndpointInput(tenant_id=1, endpoint_id=row, public_id=10**15 + row)
    deliver, _ = fake(steps.deliver_webhooks, *script.deliver)
    async with serve(names.WEBHOOKS, [deliver]):
        await wake_webhooks(client, endpoint)
        handle: WorkflowHandle[DeliverWebhooks, None] = client.get_workflow_handle(
            names.deliver_webhooks_id(endpoint.tenant_id, endpoint.public_id)
        )
        for timers in script.signal_after:
            await until(timers_set(handle, timers))
            await wake_webhooks(client, endpoint)
        await handle.result()
        return (await handle.fetch_history()).to_json_dict()
