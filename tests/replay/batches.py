"""Records the paths of a batch's workflow."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowHandle

from models.enums import Channel
from models.rules.messages.batches.identity import BatchStart
from models.rules.waits import SendWaits
from tests.fakes import fake
from tests.workflows.harness import until
from workflows import names, steps
from workflows.messages.batches.start import start_batch
from workflows.messages.batches.types import AcceptLinesResult, CancelMembersResult

_AWAY: Final = ConnectionError("no database")
_PAGE: Final = AcceptLinesResult(accepted=90, refused=10)
_LAST: Final = AcceptLinesResult(accepted=40, decided=True)
_NO_CAPACITY: Final = AcceptLinesResult(accepted=60, wait=timedelta(seconds=0.2))
_SLOW: Final = AcceptLinesResult(wait=timedelta(hours=1))
_CANCELED: Final = AcceptLinesResult(refused=40, decided=True, canceled=True)


@dataclass(frozen=True, kw_only=True)
class _Script:
    accept: Sequence[Any]
    cancel: Sequence[Any] = ()
    cancel_after: int = 0
    """Timers after which the batch is canceled; 0 for never."""


_BATCHES: Final = {
    "accepted": _Script(accept=[_PAGE, _PAGE, _LAST]),
    "retried": _Script(accept=[_PAGE, _AWAY, _LAST]),
    "waited": _Script(accept=[_NO_CAPACITY, _PAGE, _LAST]),
    "canceled": _Script(
        accept=[_PAGE, _SLOW, _CANCELED],
        cancel=[
            CancelMembersResult(canceled=50, more=True),
            _AWAY,
            CancelMembersResult(canceled=10, more=False),
        ],
        cancel_after=1,
    ),
}

PATHS: Final = [f"send-batch.{path}" for path in _BATCHES]


async def record_batch(
    client: Client,
    name: str,
    waits: SendWaits,
    serve: Callable[..., Any],
    timers_set: Callable[[WorkflowHandle[Any, Any], int], Callable[[], Awaitable[bool]]],
) -> dict[str, Any]:
    """Run one path and return its history."""
    path = name.removeprefix("send-batch.")
    script = _BATCHES[path]
    number = list(_BATCHES).index(path) + 1
    batch = BatchStart(
        tenant_id=1,
        tenant_public_id=10**15,
        batch_id=number,
        public_id=10**15 + number,
        merchant_id=1,
        merchant="shop",
        channel=Channel.SMS,
        total=240,
        scope="",
        idempotency_key=path,
    )
    activities = [
        fake(steps.accept_lines, *script.accept)[0],
        fake(steps.cancel_members, *script.cancel)[0],
    ]
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(batch.workflow_id)
    async with serve(names.BATCHES, activities):
        await start_batch(client, batch, waits)
        if script.cancel_after:
            await until(timers_set(handle, script.cancel_after))
            await start_batch(client, batch, waits, canceled=True)
        await handle.result()
    return (await handle.fetch_history()).to_json_dict()
