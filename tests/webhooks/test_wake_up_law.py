"""No interleaving of recording, waking and delivering leaves a due delivery with nobody awake.

Each actor's statements run on connections of their own, in a random order; transactions stay open
over several steps. No time passes, so a wake-up that was lost would not be repeated.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cli.dev.postgres import EmbeddedPostgres
from models.queries.webhooks import deliveries_due, wake_ups
from models.queries.webhooks.deliveries_due import EndpointKey
from models.session import Database, WriteSession
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner, unique
from tests.stack import async_url, make_database
from tests.webhooks.endpoints import make_endpoint

_BLOCKED = 0.1
"""Seconds after which a statement counts as waiting for a lock."""

_EVENTS = 4

RECORD = text(
    "INSERT INTO webhook_delivery (tenant_id, endpoint_id, event_id, type, merchant_id, subject,"
    " subject_id, number, state, status, attempts, due_at, created_at)"
    " SELECT :tenant, :endpoint, 1, 'webhook.test', 0, 'TEST', 1, 1, '{}', 'PENDING', 0,"
    " clock_timestamp(), clock_timestamp()"
)
DELIVER = text(
    "UPDATE webhook_delivery SET status = 'SUCCEEDED', due_at = NULL"
    " WHERE tenant_id = :tenant AND id = ANY(CAST(:ids AS bigint[]))"
)
LEFT = text(
    "SELECT count(*) FROM webhook_delivery"
    " WHERE tenant_id = :tenant AND endpoint_id = :endpoint AND status = 'PENDING'"
)

Step = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class World:
    """An endpoint, a transaction that records, a poller, and a workflow with its signal."""

    database: Database
    key: EndpointKey
    recorded: int = 0
    recording: AsyncExitStack | None = None
    looking: AsyncExitStack | None = None
    found: bool = False
    signals: int = 0
    runs: bool = False
    signaled: bool = False
    at: str = "begin"
    due: list[int] = field(default_factory=list)
    blocked: asyncio.Task[None] | None = None

    @property
    def ids(self) -> dict[str, int]:
        return {"tenant": self.key.tenant_id, "endpoint": self.key.endpoint_id}

    def enabled(self) -> list[Step]:
        """Return what may happen next, besides the step that waits for a lock.

        The workflow takes most steps, so that it ends and is started several times.
        """
        steps: list[Step] = [self.look if self.looking is None else self.commit_look]
        if self.recording is not None:
            steps += [self.commit_record]
        elif self.recorded < _EVENTS:
            steps += [self.record]
        if self.signals:
            steps += [self.signal] * 2
        if self.runs and self.blocked is None:
            steps += [getattr(self, f"turn_{self.at}")] * 3
        return steps

    async def record(self) -> None:
        self.recorded += 1
        self.recording, db = await self._open()
        await db.execute(RECORD, self.ids)

    async def commit_record(self) -> None:
        assert self.recording is not None
        held, self.recording = self.recording, None
        await held.aclose()

    async def look(self) -> None:
        self.looking, db = await self._open()
        self.found = bool(await wake_ups.take_sleeping(db, most=10))

    async def commit_look(self) -> None:
        assert self.looking is not None
        held, self.looking = self.looking, None
        await held.aclose()
        self.signals += self.found

    async def signal(self) -> None:
        """Temporal starts the workflow, or signals the running one."""
        self.signals -= 1
        if not self.runs:
            self.runs, self.at = True, "begin"
        self.signaled = True

    async def turn_begin(self) -> None:
        self.signaled = False
        async with self.database.statement() as db:
            await deliveries_due.keep_awake(db, self.key)
        self.at = "read"

    async def turn_read(self) -> None:
        async with self.database.read() as db:
            now = datetime.now(UTC) + timedelta(seconds=1)
            due = await deliveries_due.due_deliveries(db, self.key, now=now, most=10)
        self.due = [row.delivery.delivery_id for row in due]
        self.at = "deliver" if due else "rest"

    async def turn_deliver(self) -> None:
        async with self.database.statement() as db:
            await db.execute(DELIVER, {**self.ids, "ids": self.due})
        self.at = "read"

    async def turn_rest(self) -> None:
        async with self.database.statement() as db:
            now = datetime.now(UTC) + timedelta(seconds=1)
            next_at = await deliveries_due.rest(db, self.key, now=now)
        self.at = "end" if next_at is None else "read"

    async def turn_end(self) -> None:
        """Complete; Temporal refuses that if a signal has come."""
        self.runs, self.at = self.signaled, "begin"

    async def close(self) -> None:
        """Close what a failed step has left open."""
        for held in (self.recording, self.looking):
            if held is not None:
                await held.aclose()

    async def _open(self) -> tuple[AsyncExitStack, WriteSession]:
        held = AsyncExitStack()
        return held, await held.enter_async_context(self.database.transaction())

    async def take(self, step: Step) -> None:
        """Run a step; a step of the workflow that waits for a lock goes on later."""
        running = asyncio.create_task(step())
        done, _ = await asyncio.wait({running}, timeout=_BLOCKED)
        if done:
            await running
        else:
            assert step.__name__.startswith("turn_"), "only the workflow waits"
            self.blocked = running
        if self.blocked is not None and self.blocked.done():
            await self.blocked
            self.blocked = None

    async def drain(self) -> int:
        """Let everybody finish, without new events; return how many deliveries are left."""
        if self.recording is not None:
            await self.commit_record()
        for _ in range(60):
            if self.looking is not None:
                await self.commit_look()
            if self.blocked is not None:
                await self.blocked
                self.blocked = None
            if self.signals:
                await self.signal()
            while self.runs:
                await getattr(self, f"turn_{self.at}")()
            await self.look()
            if not self.found:
                break
        if self.looking is not None:
            await self.commit_look()
        async with self.database.read() as db:
            return int(await db.scalar(LEFT, self.ids) or 0)


@pytest.fixture
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database without other tests' endpoints: all tenants are looked at at once."""
    url = make_database(postgres, unique("law").replace("-", "_"))
    database = Database(async_url(url), pool_size=6, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


async def play(database: Database, choices: Sequence[int]) -> int:
    """Play one interleaving of a new endpoint; return how many deliveries are left."""
    endpoint = await make_endpoint(database, await make_owner(database))
    assert endpoint.id is not None
    key = EndpointKey(
        tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id, public_id=endpoint.public_id
    )
    world = World(database, key)
    try:
        for number in choices:
            enabled = world.enabled()
            await world.take(enabled[number % len(enabled)])
        return await world.drain()
    finally:
        await world.close()


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(choices=st.lists(st.integers(0, 11), min_size=20, max_size=80))
async def test_every_due_delivery_is_delivered_whatever_the_order(
    alone: Database, choices: list[int]
) -> None:
    assert await play(alone, choices) == 0
