"""The current code replays every recorded history."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from cli.commands.replay import replay_histories
from tests.replay.record import HISTORIES, PATHS
from tests.replay.variants import (
    AsksAnotherStep,
    IgnoresPauses,
    SettlesFirst,
    SleepsFirst,
    WaitsFirst,
)
from tests.workflows.harness import STRICT
from workflows.payloads import data_converter
from workflows.worker_registry import WORKFLOWS

FILES = sorted(HISTORIES.glob("*.json"))


def replayer(*workflows: type[Any]) -> Replayer:
    return Replayer(workflows=workflows, data_converter=data_converter, workflow_runner=STRICT)


def history(name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())


@pytest.mark.parametrize("name", [file.stem for file in FILES])
async def test_a_stored_history_replays(name: str) -> None:
    await replayer(*WORKFLOWS).replay_workflow(history(name))


def test_every_path_has_its_history() -> None:
    assert {file.stem for file in FILES} == set(PATHS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_stored_history_has_no_data_of_the_recording_machine(file: Path) -> None:
    text = file.read_text()
    assert socket.gethostname() not in text
    assert set(re.findall(r'"identity": "([^"]*)"', text)) <= {"recorder"}
    assert (
        re.findall(r"/(?:work|home|root|tmp|usr)/|\.py\b|\d+@|127\.0\.0\.1|localhost", text) == []
    )


@pytest.mark.parametrize("edit", [SleepsFirst, AsksAnotherStep])
@pytest.mark.parametrize("path", ["accepted", "ambiguous-absent", "refused"])
async def test_an_edit_that_decides_otherwise_is_caught(edit: type[Any], path: str) -> None:
    with pytest.raises(NondeterminismError):
        await replayer(edit).replay_workflow(history(f"send-message.{path}"))


async def test_steps_in_another_order_are_caught_where_their_answers_differ() -> None:
    # The recorded answer of one is decoded as the other's before their names are compared.
    with pytest.raises(RuntimeError, match="Failed decoding arguments"):
        await replayer(SettlesFirst).replay_workflow(history("send-message.accepted"))


@pytest.mark.parametrize("path", ["delivered", "more-due", "retried"])
async def test_an_edit_that_waits_before_it_delivers_webhooks_is_caught(path: str) -> None:
    with pytest.raises(NondeterminismError):
        await replayer(WaitsFirst).replay_workflow(history(f"deliver-webhooks.{path}"))


async def test_an_edit_that_lets_an_event_end_a_pause_is_caught() -> None:
    with pytest.raises(RuntimeError, match="Fatal error in workflow machines"):
        await replayer(IgnoresPauses).replay_workflow(history("deliver-webhooks.pausing"))


async def test_the_command_finds_the_stored_histories_whole() -> None:
    assert await replay_histories(HISTORIES, limit=0) == 0


async def test_the_command_counts_the_histories_that_are_broken(tmp_path: Path) -> None:
    for path in ("accepted", "ambiguous-found"):
        stored = (HISTORIES / f"send-message.{path}.json").read_text()
        (tmp_path / f"send-message.{path}.json").write_text(
            stored.replace('"name": "reconcile"', '"name": "dispatch_queued"')
        )
    assert await replay_histories(tmp_path, limit=0) == 1
