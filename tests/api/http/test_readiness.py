"""Ready means that the database responds, and its schema is ours or a newer one."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.services.system.readiness import KEPT_FOR, Readiness
from cli.dev.postgres import EmbeddedPostgres
from models.errors import TemporarilyUnavailable
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.stack import async_url


@pytest.fixture
async def empty(postgres: EmbeddedPostgres, database: Database) -> AsyncIterator[Database]:
    """A database that is not migrated."""
    name = f"empty_{uuid4().hex}"
    async with database.read() as db:
        await db.execute(text(f"CREATE DATABASE {name}"))
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    made = Database(async_url(url), pool_size=2, contact_keys=CONTACT_KEYS)
    yield made
    await made.close()


async def _migrated_to(database: Database, *versions: str) -> None:
    async with database.transaction() as db:
        await db.execute(text("CREATE TABLE alembic_version (version_num varchar(32))"))
        for version in versions:
            await db.execute(text("INSERT INTO alembic_version VALUES (:v)"), {"v": version})


async def test_a_migrated_database_is_ready(database: Database) -> None:
    await Readiness(database).check()


async def test_one_that_is_not_migrated_is_not(empty: Database) -> None:
    with pytest.raises(TemporarilyUnavailable):
        await Readiness(empty).check()


@pytest.mark.parametrize("versions", [(), ("0001",)])
async def test_an_older_one_is_not(empty: Database, versions: tuple[str, ...]) -> None:
    await _migrated_to(empty, *versions)
    with pytest.raises(TemporarilyUnavailable):
        await Readiness(empty).check()


async def test_a_newer_one_is(empty: Database) -> None:
    await _migrated_to(empty, "9999")
    await Readiness(empty).check()


async def test_many_who_ask_share_one_look(empty: Database) -> None:
    readiness = Readiness(empty)
    answers = await asyncio.gather(*(readiness.check() for _ in range(50)), return_exceptions=True)
    assert len(set(map(id, answers))) == 1, "one look, one error"
    await _migrated_to(empty, "9999")
    with pytest.raises(TemporarilyUnavailable):  # the result is cached for a moment
        await readiness.check()
    await asyncio.sleep(KEPT_FOR + 0.01)
    await readiness.check()
