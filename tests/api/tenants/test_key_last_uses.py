"""The minute of a key's last use: noted in memory, written once, and only forward."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.tenants.key_last_uses import MOST_KEYS, KeyLastUses
from models.queries.tenants.api_keys import LastUse, write_last_uses
from models.session import Database
from tests.api.container import services_of
from tests.api.doubles import Clock
from tests.api.integrator import Integrator
from tests.api.tenants.key_calls import listed

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)


async def stored(database: Database, integrator: Integrator) -> datetime | None:
    """Return a key's last use as it is stored."""
    async with database.read() as db:
        found: datetime | None = await db.scalar(
            text("SELECT last_used_at FROM api_key WHERE tenant_id = :tenant AND id = :id"),
            {"tenant": integrator.tenant_id, "id": integrator.key_id},
        )
        return found


async def row_version(database: Database, integrator: Integrator) -> str:
    """Return the transaction that last wrote a key's row."""
    async with database.read() as db:
        found = await db.scalar(
            text("SELECT xmin::text FROM api_key WHERE tenant_id = :tenant AND id = :id"),
            {"tenant": integrator.tenant_id, "id": integrator.key_id},
        )
        return str(found)


@pytest.mark.timeout(30)
async def test_a_used_key_shows_the_minute_soon_after(integrator: Integrator) -> None:
    began = datetime.now(UTC).replace(second=0, microsecond=0)
    (view,) = await listed(integrator)
    while view["lastUsedAt"] is None:
        await asyncio.sleep(0.1)
        (view,) = await listed(integrator)
    assert began <= datetime.fromisoformat(view["lastUsedAt"]) <= datetime.now(UTC)
    assert view["lastUsedAt"].endswith(":00.000Z")


async def test_wrong_secrets_are_no_use(app: FastAPI, integrator: Integrator) -> None:
    uses = services_of(app).last_uses
    await uses.close()
    for name in ("X-API-SECRET", "X-API-KEY"):
        wrong = {**integrator.headers, name: "wrong"}
        answer = await integrator.client.get("/api/v1/merchants", headers=wrong)
        assert answer.status_code == 401
    assert (integrator.tenant_id, integrator.key_id) not in uses._unwritten


async def test_a_key_is_written_once_a_minute(integrator: Integrator, database: Database) -> None:
    clock = Clock(NOON)
    uses = KeyLastUses(database, clock)
    versions = [await row_version(database, integrator)]
    for second in range(120):
        clock.now = NOON + timedelta(seconds=second)
        for _ in range(3):
            uses.note(integrator.tenant_id, integrator.key_id)
        await uses.write()
        versions.append(await row_version(database, integrator))
    assert len(set(versions)) == 3, "the row is written twice in two minutes"
    assert await stored(database, integrator) == NOON + timedelta(minutes=1)


async def test_of_several_processes_the_latest_minute_stays(
    integrator: Integrator, database: Database
) -> None:
    processes = [
        KeyLastUses(database, Clock(NOON + timedelta(minutes=minute))) for minute in (2, 0, 3, 1)
    ]
    for uses in processes:
        uses.note(integrator.tenant_id, integrator.key_id)
    for uses in processes:
        await uses.write()
    assert await stored(database, integrator) == NOON + timedelta(minutes=3)


async def test_processes_that_write_the_same_keys_at_once_do_not_deadlock(
    integrator: Integrator, stranger: Integrator, database: Database
) -> None:
    keys = [integrator, stranger]

    async def process(number: int) -> None:
        for minute in range(20):
            ordered = keys if number % 2 else keys[::-1]
            uses = [
                LastUse(
                    tenant_id=key.tenant_id,
                    key_id=key.key_id,
                    minute=NOON + timedelta(minutes=minute),
                )
                for key in ordered
            ]
            async with database.statement() as db:
                await write_last_uses(db, uses)

    await asyncio.gather(*(process(number) for number in range(4)))
    for key in keys:
        assert await stored(database, key) == NOON + timedelta(minutes=19)


async def test_what_is_left_is_written_at_shutdown(
    integrator: Integrator, database: Database
) -> None:
    uses = KeyLastUses(database, Clock(NOON))
    uses.note(integrator.tenant_id, integrator.key_id)
    await uses.close()
    assert await stored(database, integrator) == NOON


async def test_a_failed_write_is_kept_for_the_next(
    integrator: Integrator, database: Database
) -> None:
    uses = KeyLastUses(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"), Clock(NOON))
    uses.note(integrator.tenant_id, integrator.key_id)
    with pytest.raises(Exception, match="refused"):
        await uses.write()
    uses._database = database
    await uses.write()
    assert await stored(database, integrator) == NOON


async def test_memory_is_bounded(database: Database) -> None:
    uses = KeyLastUses(database, Clock(NOON))
    for key in range(MOST_KEYS + 100):
        uses.note(0, key)
    assert len(uses._minutes) == len(uses._unwritten) == MOST_KEYS
