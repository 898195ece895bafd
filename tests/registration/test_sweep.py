"""The sweeper of registrations: a submitted row without a workflow gets one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.system.sweep_registrations import RegistrationSweep
from cli.dev.postgres import EmbeddedPostgres
from models.rules.registration.vocabulary import AssignmentState, NumberState, RegistrationState
from models.rules.waits import RegistrationWaits
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner, unique
from tests.registration.harness import Harness, ScriptedRegistry
from tests.stack import async_url, make_database

SECOND = timedelta(seconds=1)
GRACE = timedelta(seconds=30)
WAITS = RegistrationWaits(ask_first=SECOND, ask_longest=SECOND, reconcile_every=SECOND)


@pytest.fixture
async def harness(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Harness]:
    """A merchant in a database of its own."""
    url = make_database(postgres, unique("regsweep").replace("-", "_"))
    database = Database(async_url(url), pool_size=5, contact_keys=CONTACT_KEYS)
    yield Harness(database, await make_owner(database), ScriptedRegistry())
    await database.close()


async def sweep(harness: Harness, client: Client, *, most: int = 100) -> int:
    """Run the task once; return how many rows it processed."""
    task = RegistrationSweep(harness.database, client, WAITS, grace=GRACE)
    rows = await task.take(datetime.now(UTC), most)
    for row in rows:
        assert await task.resume(row)
    return len(rows)


async def runs(client: Client, workflow_id: str) -> bool:
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return False
    return described.status is WorkflowExecutionStatus.RUNNING


async def test_each_stalled_operation_gets_its_workflow(harness: Harness, client: Client) -> None:
    tenant = harness.owner.tenant_id
    past, later = datetime.now(UTC) - SECOND, datetime.now(UTC) + GRACE
    brand = await harness.brand(sweep_at=past)
    campaign = await harness.campaign(RegistrationState.APPROVED, sweep_at=None)
    wanted = {
        "register-brand": brand,
        "buy-number": await harness.number("+18132201000", sweep_at=past),
        "assign-number": await harness.number(
            "+18132201001",
            NumberState.ACTIVE,
            campaign_id=campaign,
            assignment=AssignmentState.PENDING,
            sweep_at=past,
        ),
        "return-number": await harness.number("+18132201002", NumberState.RELEASING, sweep_at=past),
    }
    not_yet = await harness.number("+18132201003", sweep_at=later)
    assert await sweep(harness, client) == 4
    for workflow, row in wanted.items():
        table = "brand" if workflow == "register-brand" else "messaging_number"
        assert await runs(client, f"{workflow}/{tenant}/{await harness.shown(table, row)}")
    unasked = await harness.shown("messaging_number", not_yet)
    assert not await runs(client, f"buy-number/{tenant}/{unasked}")
    assert await sweep(harness, client) == 0


async def test_the_longer_it_waits_the_rarer_it_is_looked_after(
    harness: Harness, client: Client
) -> None:
    now = datetime.now(UTC)
    ages = {SECOND: GRACE, timedelta(minutes=20): timedelta(minutes=10)}
    ages[timedelta(days=3)] = timedelta(hours=1)
    for number, age in enumerate(ages):
        await harness.number(f"+1813220200{number}", sweep_at=now - SECOND, updated_at=now - age)
    await sweep(harness, client)
    gaps = await harness.rows("SELECT sweep_at - updated_at FROM messaging_number ORDER BY number")
    for (gap,), (age, next_in) in zip(gaps, ages.items(), strict=True):
        assert abs(gap - age - next_in) < timedelta(seconds=5)


async def test_rows_beyond_one_turn_are_processed_in_the_next(
    harness: Harness, client: Client
) -> None:
    past = datetime.now(UTC) - SECOND
    await harness.brand(sweep_at=past)
    numbers = [await harness.number(f"+1813220300{n}", sweep_at=past) for n in range(3)]
    assert [await sweep(harness, client, most=2) for _ in range(3)] == [2, 2, 0]
    for row in numbers:
        public_id = await harness.shown("messaging_number", row)
        assert await runs(client, f"buy-number/{harness.owner.tenant_id}/{public_id}")


async def test_a_story_that_runs_is_left_alone(harness: Harness, client: Client) -> None:
    brand = await harness.brand(sweep_at=datetime.now(UTC) - SECOND)
    workflow_id = f"register-brand/{harness.owner.tenant_id}/{await harness.shown('brand', brand)}"
    handle = client.get_workflow_handle(workflow_id)
    assert await sweep(harness, client) == 1
    first = (await handle.describe()).run_id
    async with harness.database.transaction() as db:
        await db.execute(text("UPDATE brand SET sweep_at = now() - interval '1 second'"))
    assert await sweep(harness, client) == 1
    described = await handle.describe()
    assert (described.run_id, described.history_length) == (first, 2)
