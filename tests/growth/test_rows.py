"""The filled tables are as sends leave them: the ledger adds up, and every key has its row."""

from collections.abc import AsyncIterator
from typing import Final

import psycopg
import pytest
from psycopg import sql

from cli.dev.postgres import EmbeddedPostgres
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner, unique
from tests.growth.rows import Connection, Filler, open_filler
from tests.stack import async_url, make_database

MESSAGES: Final = 2_000
WAITING: Final = 300

LAWS: Final = {
    "a hold is captured or released, once it ended": """
        SELECT m.id FROM message m
         WHERE (SELECT count(*) FROM ledger_entry e
                 WHERE e.tenant_id = m.tenant_id AND e.message_id = m.id)
            <> CASE WHEN m.completed_at IS NULL THEN 1 ELSE 2 END
    """,
    "a month is the sum of its entries": """
        SELECT a.tenant_id FROM allowance_month a
         WHERE (a.used, a.used + a.held) <> (
               SELECT COALESCE(sum(units) FILTER (WHERE kind = 'CAPTURE'), 0),
                      COALESCE(sum(units) FILTER (WHERE kind = 'HOLD'), 0)
                      - COALESCE(sum(units) FILTER (WHERE kind = 'RELEASE'), 0)
                 FROM ledger_entry e
                WHERE (e.tenant_id, e.merchant_id, e.channel, e.month)
                    = (a.tenant_id, a.merchant_id, a.channel, a.month))
    """,
    "a message has its attempts": """
        SELECT m.id FROM message m
         WHERE m.attempts <> (SELECT count(*) FROM attempt a
                               WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id)
    """,
    "usage stands for what was billed": """
        SELECT m.id FROM message m
          LEFT JOIN usage_record u ON u.tenant_id = m.tenant_id AND u.message_id = m.id
         WHERE m.billed_units <> COALESCE(u.units, 0)
    """,
    "a day is the sum of its records": """
        SELECT d.tenant_id FROM usage_day d
         WHERE d.units <> (SELECT sum(units) FROM usage_record u
                            WHERE (u.tenant_id, u.day, u.merchant_id, u.channel)
                                = (d.tenant_id, d.day, d.merchant_id, d.channel))
    """,
}


@pytest.fixture(scope="module")
async def filled(postgres: EmbeddedPostgres) -> AsyncIterator[Connection]:
    """A connection to a database that was filled in two steps."""
    url = make_database(postgres, unique("rows").replace("-", "_"))
    database = Database(async_url(url), pool_size=1, contact_keys=CONTACT_KEYS)
    owner = await make_owner(database)
    await database.close()
    db = await psycopg.AsyncConnection.connect(url, autocommit=True)
    filler = await open_filler(db, owner, tenants=50)
    await filler.add(1, MESSAGES // 2)
    await filler.add(MESSAGES // 2 + 1, MESSAGES)
    await filler.add_waiting(WAITING)
    yield db
    await db.close()


async def test_so_many_messages_are_added(filled: Connection) -> None:
    rows = await filled.execute(
        "SELECT count(*) FILTER (WHERE completed_at IS NOT NULL),"
        "       count(*) FILTER (WHERE completed_at IS NULL),"
        "       count(*) FILTER (WHERE tenant_id = (SELECT min(id) FROM tenant)) FROM message"
    )
    ended, waiting, own = await rows.fetchone() or (0, 0, 0)
    assert (ended, waiting) == (MESSAGES, WAITING)
    assert 0.3 < own / (MESSAGES + WAITING) < 0.5


@pytest.mark.parametrize("law", LAWS)
async def test_the_rows_keep_the_laws(filled: Connection, law: str) -> None:
    rows = await filled.execute(LAWS[law].encode())
    assert await rows.fetchall() == []


async def test_every_foreign_key_has_its_row(filled: Connection) -> None:
    keys = await filled.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    )
    for table, name, definition in await keys.fetchall():
        async with filled.transaction(force_rollback=True):  # validates every row
            place, key = sql.Identifier(table), sql.Identifier(name)
            await filled.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(place, key))
            added = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(place, key)
            await filled.execute(added.as_bytes(filled) + definition.encode())


async def test_other_tenants_are_removed_with_all_their_rows(filled: Connection) -> None:
    async with filled.transaction(force_rollback=True):
        await Filler(filled, tenants=50).remove_tenants()
        for table in ("tenant", "merchant", "message", "receipt", "ledger_entry", "consent"):
            column = "id" if table == "tenant" else "tenant_id"
            rows = await filled.execute(
                sql.SQL("SELECT count(DISTINCT {}) FROM {}").format(
                    sql.Identifier(column), sql.Identifier(table)
                )
            )
            assert await rows.fetchone() == (1,)
