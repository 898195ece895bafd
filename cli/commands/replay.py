"""Replays workflow histories to check that this code makes the same decisions."""

from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from cli.command_errors import OutOfReach
from workflows.client import connect
from workflows.payloads import data_converter
from workflows.worker_registry import WORKFLOWS


def stored(folder: Path) -> list[WorkflowHistory]:
    """Read every `<workflow>.<path>.json` of a folder."""
    return [
        WorkflowHistory.from_json(path.stem, path.read_text())
        for path in sorted(folder.glob("*.json"))
    ]


async def running(limit: int) -> AsyncIterator[WorkflowHistory]:
    """Yield the newest histories of the server."""
    try:
        client = await connect()
    except RuntimeError:
        raise OutOfReach("Temporal does not answer at TEMPORAL_ADDRESS") from None
    async for history in client.list_workflows(limit=limit).map_histories():
        yield history


async def replay_histories(folder: Path | None, limit: int) -> int:
    """Replay histories, print a line for each failure, and return the number of failures."""
    console = Console()
    replayer = Replayer(workflows=WORKFLOWS, data_converter=data_converter)
    tried = failed = 0
    histories = running(limit) if folder is None else _each(stored(folder))
    async with replayer.workflow_replay_iterator(histories) as results:
        async for result in results:
            tried += 1
            if result.replay_failure is not None:
                failed += 1
                console.print(f"[red]broken[/] {result.history.workflow_id}")
                console.print(f"       {result.replay_failure}", highlight=False)
    console.print(f"{tried} histories replayed, {failed} broken")
    return failed


async def _each(histories: list[WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
    for history in histories:
        yield history
