"""Temporal is down, or has lost its data: the rows suffice to finish every message."""

import asyncio
import os
import signal
import time
from functools import partial

import pytest
from temporalio.client import Client

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until
from workflows import names

pytestmark = pytest.mark.xdist_group("chaos")


async def _kill_temporal(harness: Harness) -> None:
    assert harness.temporal.pid is not None
    os.kill(harness.temporal.pid, signal.SIGKILL)
    await asyncio.to_thread(harness.temporal.stop)


async def test_what_is_accepted_while_temporal_is_away_is_sent_once_it_is_back(
    harness: Harness, integrator: Integrator
) -> None:
    await _kill_temporal(harness)
    numbers = [number() for _ in range(10)]
    seconds = []
    messages = []
    for to in numbers:
        began = time.monotonic()
        answer = await integrator.send(to)
        seconds.append(time.monotonic() - began)
        assert (answer.status_code, answer.json()["status"]) == (200, "QUEUED")
        messages.append(answer.json()["messageId"])
    assert max(seconds) < 1, "no request waits for Temporal"

    await asyncio.to_thread(harness.temporal.start)
    await integrator.all_ended()
    assert set(await harness.copies(numbers)) == {1}
    assert {(await integrator.view(message))["status"] for message in messages} == {"DELIVERED"}
    assert await violations(integrator) == []


async def test_temporal_killed_amid_mixed_sends_loses_and_doubles_nothing(
    harness: Harness, integrator: Integrator
) -> None:
    numbers = [number(last_four) for last_four in ("1234", "9004", "9007", "9012", "9010") * 4]
    sends = asyncio.gather(*(integrator.accepted(to) for to in numbers))
    await asyncio.sleep(0.4)
    await _kill_temporal(harness)
    await sends
    await asyncio.sleep(1)
    await asyncio.to_thread(harness.temporal.start)

    await integrator.all_ended()
    assert set(await harness.copies(numbers)) == {1}
    assert await violations(integrator) == []


@pytest.mark.parametrize("workers", ["restarted", "left running"])
async def test_when_temporal_has_lost_its_database_every_row_still_reaches_its_end(
    harness: Harness, integrator: Integrator, workers: str
) -> None:
    numbers = [number(last_four) for last_four in ("1234", "9004", "9012", "9010") * 3]
    for to in numbers:
        await integrator.accepted(to)
    await _kill_temporal(harness)
    assert harness.temporal.database is not None
    for file in harness.temporal.database.parent.glob("temporal.db*"):
        file.unlink()
    await asyncio.to_thread(harness.temporal.start)
    if workers == "restarted":
        harness.stack.kill("worker")
        await asyncio.to_thread(harness.stack.start, "worker")

    await integrator.all_ended()
    assert set(await harness.copies(numbers)) == {1}
    assert await violations(integrator) == []
    await until(partial(_closing_is_scheduled, harness))


async def _closing_is_scheduled(harness: Harness) -> bool:
    client = await Client.connect(harness.temporal.address)
    schedules = await client.list_schedules()
    return names.CLOSE_DAYS_ID in [schedule.id async for schedule in schedules]
