"""Idempotency records are deleted after 30 days, in batches, and nothing else is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.system.expired_records import KEPT_FOR, ExpiredRecords
from activities.system.sweep_messages import Sweeping
from cli.dev.postgres import EmbeddedPostgres
from models.queries.messages import acceptance
from models.queries.tenants.idempotency_records import RecordKey, add_record
from models.rules.messages.identity import SendKey
from models.rules.messages.operations import SEND_SMS
from models.session import Database
from providers.routing import Routes
from tests.activities.system.test_sweep import EVERY, GRACE, WAITS
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_message, make_owner, new_message, unique
from tests.stack import async_url, make_database

SECOND = timedelta(seconds=1)


@pytest.fixture
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database without other tests' rows: records are deleted for all tenants at once."""
    url = make_database(postgres, unique("expiry").replace("-", "_"))
    database = Database(async_url(url), pool_size=10, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


async def add(
    database: Database, owner: Owner, key: str, *, age: timedelta, route: str = "POST /r"
) -> None:
    """Store an answer of this age."""
    record = RecordKey(tenant_id=owner.tenant_id, route=route, scope="", idempotency_key=key)
    async with database.transaction() as db:
        now = datetime.now(UTC) - age
        await add_record(db, record, fingerprint="f" * 64, answer={"a": 1}, now=now)


async def keys(database: Database) -> list[str]:
    async with database.read() as db:
        found = await db.execute(text("SELECT idempotency_key FROM idempotency_record ORDER BY 1"))
        return [key for (key,) in found]


async def test_a_record_is_kept_for_thirty_days_and_then_deleted(alone: Database) -> None:
    owner = await make_owner(alone)
    await add(alone, owner, "young", age=KEPT_FOR - timedelta(minutes=1))
    await add(alone, owner, "old", age=KEPT_FOR + SECOND)
    await add(alone, owner, "new", age=timedelta(0))
    assert await ExpiredRecords(alone).delete(datetime.now(UTC), 100) == 1
    assert await keys(alone) == ["new", "young"]
    assert await ExpiredRecords(alone).delete(datetime.now(UTC), 100) == 0
    assert timedelta(days=30) == KEPT_FOR


async def test_a_key_of_an_upgrade_is_kept(alone: Database) -> None:
    owner = await make_owner(alone)
    years = timedelta(days=800)
    await add(alone, owner, "paid", age=years, route="POST /api/v1/billing/upgrade")
    await add(alone, owner, "other", age=years, route="POST /api/v1/merchants")
    assert await ExpiredRecords(alone).delete(datetime.now(UTC), 100) == 1
    assert await keys(alone) == ["paid"]


async def test_a_batch_is_bounded_and_takes_the_oldest_first(alone: Database) -> None:
    owner = await make_owner(alone)
    for day in range(5):
        await add(alone, owner, f"k{day}", age=KEPT_FOR + timedelta(days=day + 1))
    assert await ExpiredRecords(alone).delete(datetime.now(UTC), 2) == 2
    assert await keys(alone) == ["k0", "k1", "k2"]


async def test_workers_at_once_delete_each_record_once_and_wait_for_nobody(
    alone: Database,
) -> None:
    owner = await make_owner(alone)
    for number in range(40):
        await add(alone, owner, f"k{number}", age=KEPT_FOR + timedelta(seconds=number + 1))
    now = datetime.now(UTC)
    async with alone.transaction() as db:
        locked = await db.execute(
            text(
                "SELECT 1 FROM idempotency_record WHERE tenant_id = :tenant_id"
                " AND idempotency_key = 'k39' FOR UPDATE"
            ),
            {"tenant_id": owner.tenant_id},
        )
        assert len(locked.all()) == 1
        counts = await asyncio.gather(*(ExpiredRecords(alone).delete(now, 10) for _ in range(6)))
    assert sum(counts) + len(await keys(alone)) == 40
    assert "k39" in await keys(alone)
    while await ExpiredRecords(alone).delete(now, 10):
        pass
    assert await keys(alone) == []


async def test_the_oldest_are_found_by_the_index(alone: Database) -> None:
    owner = await make_owner(alone)
    for number in range(30):
        await add(alone, owner, f"k{number}", age=timedelta(0))
    async with alone.transaction() as db:
        await db.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await db.execute(
            text(
                "EXPLAIN SELECT 1 FROM idempotency_record WHERE created_at < now()"
                " ORDER BY created_at LIMIT 2 FOR UPDATE SKIP LOCKED"
            )
        )
        told = "\n".join(line for (line,) in plan)
    assert "ix_idempotency_record_age" in told
    assert "Sort" not in told


async def test_an_old_send_is_still_answered_from_its_row(alone: Database) -> None:
    owner = await make_owner(alone)
    long_ago = datetime.now(UTC) - 2 * KEPT_FOR
    await make_message(alone, new_message(owner, key="k", accepted_at=long_ago))
    await ExpiredRecords(alone).delete(datetime.now(UTC), 100)
    send_key = SendKey(tenant_id=owner.tenant_id, operation=SEND_SMS, scope="", idempotency_key="k")
    async with alone.read() as db:
        assert await acceptance.find_known(db, send_key) is not None


async def test_a_turn_of_the_sweeper_deletes_them_and_a_full_one_goes_on_at_once(
    alone: Database, client: Client
) -> None:
    owner = await make_owner(alone)
    async with alone.transaction() as db:
        await db.execute(
            text(
                "INSERT INTO idempotency_record (tenant_id, route, scope, idempotency_key,"
                " fingerprint, answer, created_at)"
                " SELECT :tenant_id, 'POST /r', '', 'k' || n, repeat('f', 64), '{}',"
                " now() - interval '31 days' FROM generate_series(1, 250) n"
            ),
            {"tenant_id": owner.tenant_id},
        )
    sweeping = Sweeping(
        alone,
        client,
        WAITS,
        Routes([], {}),
        every=EVERY,
        grace=GRACE,
        expiries=[Failing(), ExpiredRecords(alone)],
    )
    gaps, left = [], []
    for _ in range(2):
        swept = await ActivityEnvironment().run(sweeping.sweep)
        gaps.append(swept.next_in)
        left.append(len(await keys(alone)))
    assert left == [50, 0]
    assert gaps[0] < SECOND
    assert gaps[1] == EVERY


class Failing:
    """Cannot delete anything."""

    async def delete(self, now: datetime, most: int) -> int:
        raise ConnectionError("no database")
