"""Databases whose statistics tell the planner much, little or something wrong about a tenant."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import psycopg
from alembic import command
from psycopg import sql
from sqlalchemy import text

from cli.database import alembic_config
from models.session import Database
from tests.api.messages.large_tenants import fill
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_owner, unique
from tests.stack import async_url

Filled: TypeAlias = Callable[[Database, int], Awaitable[Owner]]
"""Fills an empty database; returns the tenant that has so many messages."""


@asynccontextmanager
async def own_database(url: str) -> AsyncIterator[Database]:
    """Create a migrated database on a server, without autovacuum, and drop it afterwards."""
    name = unique("statistics").replace("-", "_")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        own = async_url(url.rpartition("/")[0] + f"/{name}")
        command.upgrade(alembic_config(own), "head")
        database = Database(own, pool_size=3, contact_keys=CONTACT_KEYS)
        try:
            async with database.statement() as db:
                for table in ("message", "message_metadata", "message_recipient"):
                    await db.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
            yield database
        finally:
            await database.close()
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


async def _analyze(database: Database, *, vacuum: bool = True) -> None:
    async with database.statement() as db:
        how = "VACUUM ANALYZE" if vacuum else "ANALYZE"
        await db.execute(text(f"{how} message, message_metadata, message_recipient"))


async def _two_others(database: Database, messages: int) -> None:
    for keyed in (False, True):
        await fill(database, await make_owner(database), messages // 4, keyed=keyed)


async def _few_tenants(database: Database, messages: int) -> Owner:
    owner = await make_owner(database)
    await _two_others(database, messages)
    await fill(database, owner, messages)
    await _analyze(database)
    return owner


async def _many_tenants(database: Database, messages: int) -> Owner:
    for _ in range(150):
        await fill(database, await make_owner(database), 20)
    owner = await make_owner(database)
    await fill(database, owner, messages)
    for _ in range(20):
        await fill(database, await make_owner(database), 50)
    await _analyze(database)
    return owner


async def _not_vacuumed(database: Database, messages: int) -> Owner:
    owner = await make_owner(database)
    await fill(database, owner, messages)
    for _ in range(30):
        await fill(database, await make_owner(database), 20)
    await _analyze(database, vacuum=False)
    return owner


async def _never_analyzed(database: Database, messages: int) -> Owner:
    owner = await make_owner(database)
    await _two_others(database, messages)
    await fill(database, owner, messages)
    return owner


async def _analyzed_before_its_messages(database: Database, messages: int) -> Owner:
    await _two_others(database, messages)
    await _analyze(database)
    owner = await make_owner(database)
    await fill(database, owner, messages)
    return owner


STATISTICS: Final[dict[str, Filled]] = {
    "few tenants": _few_tenants,
    "many tenants": _many_tenants,
    "not vacuumed": _not_vacuumed,
    "never analyzed": _never_analyzed,
    "analyzed before its messages": _analyzed_before_its_messages,
}
