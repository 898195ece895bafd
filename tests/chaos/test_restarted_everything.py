"""Every process is killed while messages wait: all are finished after a restart."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from cli.dev.postgres import EmbeddedPostgres
from cli.dev.temporal import EmbeddedTemporal
from models.session import Database
from tests.chaos.invariants import violations
from tests.contacts import CONTACT_KEYS
from tests.e2e.harness import Harness, number
from tests.stack import SHORT_WAITS, Stack, async_url, free_port, make_database

pytestmark = pytest.mark.xdist_group("chaos")

PARTS = ("api", "worker", "simulator")


async def _kill_everything(harness: Harness, postgres: EmbeddedPostgres) -> None:
    for name in PARTS:
        harness.stack.kill(name)
    for server in (harness.temporal, postgres):
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.to_thread(server.stop)


async def _start_everything(harness: Harness, postgres: EmbeddedPostgres) -> None:
    for server in (postgres, harness.temporal):
        await asyncio.to_thread(server.start)
    for name in PARTS:
        await asyncio.to_thread(harness.stack.start, name)


async def test_waiting_messages_survive_the_death_of_every_process(tmp_path: Path) -> None:
    with (
        EmbeddedPostgres(tmp_path / "postgres", port=free_port()) as postgres,
        EmbeddedTemporal(
            database=tmp_path / "temporal.db", port=free_port(), ui_port=free_port()
        ) as temporal,
    ):
        url = make_database(postgres, "restarted")
        settings = {**SHORT_WAITS, "HEXAVOX_SIMULATOR_DATA_DIR": str(tmp_path)}
        database = Database(async_url(url), pool_size=2, contact_keys=CONTACT_KEYS)
        with Stack(url, temporal.address, tmp_path, settings) as stack:
            async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
                harness = Harness(stack=stack, temporal=temporal, database=database, http=http)
                integrator = await harness.integrator()
                soon, late = number(), number()
                due_at = datetime.now(UTC) + timedelta(seconds=12)
                in_a_month = datetime.now(UTC) + timedelta(days=29)
                message = await integrator.accepted(soon, sendAt=due_at.isoformat())
                waiting = await integrator.accepted(late, sendAt=in_a_month.isoformat())
                await asyncio.sleep(1)

                await _kill_everything(harness, postgres)
                await database.close()
                await _start_everything(harness, postgres)

                assert (await integrator.ended(message))["status"] == "DELIVERED"
                [copy] = await harness.deliveries(soon)
                assert datetime.fromisoformat(copy["at"]) >= due_at
                assert (await integrator.view(waiting))["status"] == "SCHEDULED"
                assert (await integrator.post(f"/messages/{waiting}/cancel", None)).is_success
                assert await harness.deliveries(late) == []
                assert await violations(integrator) == []
        await database.close()
