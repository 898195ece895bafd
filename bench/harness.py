"""The whole system on embedded servers, with one process per service, and a sending tenant."""

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from temporalio.client import Client

from bench.cpu import Cpu
from bench.wire import Wire
from cli.dev.command import API_NICE
from cli.dev.postgres import EmbeddedPostgres
from cli.dev.temporal import EmbeddedTemporal
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_owner
from tests.growth.plans import log_plans_of
from tests.stack import ROOT, Stack, async_url, make_database
from workflows.payloads import data_converter


@dataclass(frozen=True, kw_only=True)
class Harness:
    """The running system."""

    stack: Stack
    look: psycopg.AsyncConnection
    client: Client
    wire: Wire
    owner: Owner
    cpu: Cpu
    postgres_log: Path
    temporal_file: Path
    temporal_pid: int

    async def ended(self, messages: list[int]) -> list[int]:
        """Return which of these messages have ended, by a cheap query."""
        rows = await self.look.execute(
            "SELECT public_id FROM message WHERE tenant_id = %s AND public_id = ANY(%s)"
            " AND completed_at IS NOT NULL",
            [self.owner.tenant_id, messages],
        )
        return [message for (message,) in await rows.fetchall()]


@asynccontextmanager
async def running(
    *, waits: Mapping[str, str] | None = None, explained: bool = False
) -> AsyncIterator[Harness]:
    """Start the system on a durable Postgres, and remove it afterwards.

    Args:
        waits: environment of the processes where it differs from that of tests.
        explained: let the sessions of all processes write the plans of their statements when
            `tests.growth.plans.recorded` asks for them.
    """
    async with AsyncExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="hexavox-bench-")))
        postgres = held.enter_context(EmbeddedPostgres(folder / "postgres"))
        held.callback(postgres.discard)
        held.callback(postgres.stop)
        temporal = held.enter_context(EmbeddedTemporal(database=folder / "temporal.db"))
        url = make_database(postgres, "bench")
        if explained:
            log_plans_of(url)
        told = {"HEXAVOX_API_NICE": API_NICE, **(waits or {})}
        stack = held.enter_context(Stack(url, temporal.address, folder, waits=told))
        _start_empty_worker(held, temporal.address)
        look = await psycopg.AsyncConnection.connect(url, autocommit=True)
        held.push_async_callback(look.close)
        client = await Client.connect(temporal.address, data_converter=data_converter)
        owner = await make_bench_owner(url)
        wire = Wire("127.0.0.1", stack.ports["api"], owner.headers)
        held.callback(wire.close)
        pids = {name: process.pid for name, process in stack.processes.items()}
        yield Harness(
            stack=stack,
            look=look,
            client=client,
            wire=wire,
            owner=owner,
            cpu=Cpu({**pids, "temporal": temporal.pid or 0, "postgres": postgres.pid or 0}),
            postgres_log=postgres.log,
            temporal_file=folder / "temporal.db",
            temporal_pid=temporal.pid or 0,
        )


async def make_bench_owner(url: str) -> Owner:
    """Create a tenant without limits."""
    database = Database(async_url(url), contact_keys=CONTACT_KEYS)
    try:
        return await make_owner(database, sms_limit=1_000_000)
    finally:
        await database.close()


def _start_empty_worker(held: AsyncExitStack, address: str) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "bench.empty", address], cwd=ROOT, stdout=subprocess.PIPE
    )
    held.callback(worker.wait)
    held.callback(worker.kill)
    assert worker.stdout is not None
    held.callback(worker.stdout.close)
    worker.stdout.readline()
