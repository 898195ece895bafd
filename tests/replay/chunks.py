"""Records the paths of a chunk's workflow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import Client

from models.enums import Channel, MessageType
from models.rules.messages.batches.identity import ChunkStart
from models.rules.waits import SendWaits
from tests.fakes import fake
from workflows import names, steps
from workflows.messages.batches.chunk_types import ChunkResult
from workflows.messages.batches.start_chunk import start_chunk

_AWAY: Final = ConnectionError("no database")
_DONE: Final = ChunkResult(unsent=0, awaited=0, settleable=0)
_AWAITED: Final = ChunkResult(unsent=0, awaited=9, settleable=0, accepted={"simulator": 9})
_REPORTED: Final = ChunkResult(unsent=0, awaited=9, settleable=9, accepted={"simulator": 9})
_HALF: Final = ChunkResult(unsent=5, awaited=4, settleable=0, accepted={"simulator": 4}, left=1)
_BUSY: Final = ChunkResult(unsent=5, awaited=0, settleable=0)
_SETTLED: Final = ChunkResult(unsent=0, awaited=5, settleable=0, ended={"DELIVERED": 4})


@dataclass(frozen=True, kw_only=True)
class _Script:
    dispatch: Sequence[Any]
    settle: Sequence[Any] = ()
    due_in: timedelta = timedelta(0)


_CHUNKS: Final = {
    "reported": _Script(dispatch=[_REPORTED], settle=[_DONE]),
    "awaited": _Script(dispatch=[_AWAITED], settle=[_SETTLED, _DONE]),
    "scheduled": _Script(dispatch=[_DONE], due_in=timedelta(seconds=0.4)),
    "busy": _Script(dispatch=[_BUSY, _HALF, _AWAITED], settle=[_HALF, _DONE]),
    "retried": _Script(dispatch=[_AWAY, _AWAITED], settle=[_AWAY, _DONE]),
    # With a report wait of 0.6 s the second look is the first poll's: the rest leaves.
    "left": _Script(dispatch=[_AWAITED], settle=[_AWAITED, _DONE]),
}

PATHS: Final = [f"send-chunk.{path}" for path in _CHUNKS]


async def record_chunk(
    client: Client, name: str, waits: SendWaits, serve: Callable[..., Any]
) -> dict[str, Any]:
    """Run one path and return its history."""
    path = name.removeprefix("send-chunk.")
    script = _CHUNKS[path]
    number = list(_CHUNKS).index(path) + 1
    chunk = ChunkStart(
        tenant_id=1,
        tenant_public_id=10**15,
        chunk_id=number,
        public_id=10**15 + number,
        merchant_id=1,
        merchant="shop",
        channel=Channel.SMS,
        type=MessageType.MARKETING,
        due_at=datetime.now(UTC) + script.due_in,
        members=9,
    )
    activities = [
        fake(steps.dispatch_chunk, *script.dispatch)[0],
        fake(steps.settle_chunk, *script.settle)[0],
    ]
    async with serve(names.BATCHES, activities):
        await start_chunk(client, chunk, waits)
        handle = client.get_workflow_handle(chunk.workflow_id)
        await handle.result()
        return (await handle.fetch_history()).to_json_dict()
