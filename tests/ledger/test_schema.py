"""Constraints of the schema: every key has the tenant, and invalid rows are refused."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from psycopg import errors, sql
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import models
from cli.database import alembic_config
from models.enums import Channel
from models.session import Database
from models.tables.all_tables import CROSS_TENANT, metadata
from tests.factories import Owner, make_message, new_message, unique
from tests.stack import async_url

ALONE = {"uq_api_key_key_hash"}
"""The key alone identifies the caller."""

CONSTRAINTS = """
    SELECT c.conname, c.contype, t.relname AS on_table,
           (SELECT array_agg(a.attname::text ORDER BY k.ord)
              FROM unnest(c.conkey) WITH ORDINALITY AS k (num, ord)
              JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS columns,
           (SELECT array_agg(a.attname::text ORDER BY k.ord)
              FROM unnest(c.confkey) WITH ORDINALITY AS k (num, ord)
              JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS referred,
           f.relname AS to_table
      FROM pg_constraint c
      JOIN pg_class t ON t.oid = c.conrelid
      LEFT JOIN pg_class f ON f.oid = c.confrelid
     WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('p', 'u', 'f')
"""
UNIQUE_INDEXES = """
    SELECT i.relname AS name, t.relname AS on_table,
           (SELECT a.attname FROM pg_attribute a
             WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[0]) AS first
      FROM pg_index x
      JOIN pg_class i ON i.oid = x.indexrelid
      JOIN pg_class t ON t.oid = x.indrelid
     WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace
"""
BARE_TABLES = """
    SELECT relname FROM pg_class t
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conrelid = t.oid AND contype = 'p')
"""


async def rows(database: Database, statement: str) -> Sequence[Any]:
    async with database.read() as db:
        return (await db.execute(text(statement))).all()


async def test_every_key_and_reference_begins_with_the_tenant(database: Database) -> None:
    broken = [
        (row.on_table, row.conname, row.columns)
        for row in await rows(database, CONSTRAINTS)
        if row.columns[0] != "tenant_id"
        and row.conname not in ALONE
        and not (row.on_table in CROSS_TENANT and row.contype != "f")
    ]
    assert broken == []


async def test_every_reference_meets_the_tenant_of_the_other_side(database: Database) -> None:
    broken = [
        row.conname
        for row in await rows(database, CONSTRAINTS)
        if row.contype == "f"
        and row.referred[0] != ("id" if row.to_table == "tenant" else "tenant_id")
    ]
    assert broken == []


async def test_no_unique_index_spans_tenants(database: Database) -> None:
    broken = [
        (row.on_table, row.name)
        for row in await rows(database, UNIQUE_INDEXES)
        if row.first != "tenant_id" and row.on_table not in CROSS_TENANT and row.name not in ALONE
    ]
    assert broken == []


async def test_every_table_has_a_primary_key_and_is_known(database: Database) -> None:
    assert await rows(database, BARE_TABLES) == []
    tables = await rows(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row.tablename for row in tables} == {*metadata.tables, "alembic_version"}


BAD = [
    "UPDATE message SET status = 'LOST' WHERE tenant_id = :t",
    "UPDATE message SET channel = 'FAX' WHERE tenant_id = :t",
    "UPDATE message SET type = 'SPAM' WHERE tenant_id = :t",
    "UPDATE message SET error_code = 'OOPS' WHERE tenant_id = :t",
    "UPDATE message SET billed_units = -1 WHERE tenant_id = :t",
    "UPDATE message SET units = 7 WHERE tenant_id = :t",
    "UPDATE message SET held_credits = -1, held_allowance = 2 WHERE tenant_id = :t",
    "UPDATE credit_account SET available = -1 WHERE tenant_id = :t",
    "UPDATE credit_account SET held = -1 WHERE tenant_id = :t",
    "UPDATE allowance_month SET held = -1 WHERE tenant_id = :t",
    "UPDATE allowance_month SET used = -1 WHERE tenant_id = :t",
    "UPDATE allowance_month SET credits_used = -1 WHERE tenant_id = :t",
    "UPDATE ledger_entry SET kind = 'GIFT' WHERE tenant_id = :t",
    "UPDATE ledger_entry SET balance = -1 WHERE tenant_id = :t",
    "UPDATE ledger_entry SET units = -1, credit_units = 0 WHERE tenant_id = :t",
    "UPDATE ledger_entry SET credit_units = units + 1 WHERE tenant_id = :t",
    "UPDATE merchant SET sms_limit = -1 WHERE tenant_id = :t",
    "UPDATE tenant SET delivery_mode = 'BOTH' WHERE id = :t",
    "UPDATE tenant SET delivery_mode = 'LIVE' WHERE id = :t",
    "UPDATE message SET delivery_mode = 'LIVE' WHERE tenant_id = :t",
    "UPDATE credit_account SET delivery_mode = 'LIVE' WHERE tenant_id = :t",
    "INSERT INTO ledger_entry (tenant_id, merchant_id, channel, kind, units, credit_units,"
    " balance, month, message_id, at) SELECT tenant_id, merchant_id, channel, kind, units,"
    " credit_units, balance, month, message_id, at FROM ledger_entry WHERE tenant_id = :t",
    "INSERT INTO attempt (tenant_id, message_id, number, provider, state, requested_at, deadline)"
    " SELECT tenant_id, id, 0, 'p', 'REQUESTED', now(), now() FROM message WHERE tenant_id = :t",
    "INSERT INTO attempt (tenant_id, message_id, number, provider, state, requested_at, deadline)"
    " SELECT tenant_id, id, 1, 'p', 'MAYBE', now(), now() FROM message WHERE tenant_id = :t",
    "INSERT INTO attempt (tenant_id, message_id, number, provider, state, requested_at, deadline)"
    " VALUES (:t, 0, 1, 'p', 'REQUESTED', now(), now())",
    "INSERT INTO usage_day (tenant_id, day, merchant_id, channel, messages, units)"
    " SELECT tenant_id, now(), id, 'SMS', 1, -1 FROM merchant WHERE tenant_id = :t",
    "INSERT INTO voice_credential (tenant_id, merchant_id, username, realm, ha1, version,"
    " pushed_version, created_at, changed_at)"
    " SELECT tenant_id, id, 'desk', '', '', 1, 0, now(), now() FROM merchant WHERE tenant_id = :t",
    "INSERT INTO voice_credential (tenant_id, merchant_id, username, realm, ha1, version,"
    " pushed_version, created_at, changed_at) SELECT tenant_id, id, 't' || tenant_id || 'm' || id,"
    " '', '', 0, 0, now(), now() FROM merchant WHERE tenant_id = :t",
    "INSERT INTO voice_presence (tenant_id, credential_id, state, expires_at, updated_at)"
    " VALUES (:t, 0, 'ONLINE', now(), now())",
    "UPDATE sender_number SET claimed_at = now() WHERE tenant_id = :t",
    "DELETE FROM merchant WHERE tenant_id = :t",
    "UPDATE merchant SET public_id = NULL WHERE tenant_id = :t",
    "INSERT INTO alert (tenant_id, public_id, merchant_id, channel, type, threshold, subject,"
    " severity, message, count, created_at, raised_at) SELECT :t, 7, 0, '', 'REFUND_STUCK', n, '',"
    " 'WARNING', '', 1, now(), now() FROM generate_series(1, 2) AS n",
]


@pytest.mark.parametrize("statement", BAD)
async def test_the_database_itself_refuses_a_bad_row(
    database: Database, owner: Owner, statement: str
) -> None:
    await make_message(database, new_message(owner))
    with pytest.raises(IntegrityError):
        async with database.transaction() as db:
            await db.execute(text(statement), {"t": owner.tenant_id})


@pytest.mark.parametrize("channel", Channel)
async def test_a_good_row_of_every_channel_is_taken(
    database: Database, owner: Owner, channel: Channel
) -> None:
    async with database.transaction() as db:
        taken = await db.execute(
            text(
                "UPDATE credit_account SET available = available + 1"
                " WHERE tenant_id = :t AND channel = :c RETURNING available, held"
            ),
            {"t": owner.tenant_id, "c": channel},
        )
        assert taken.all() == [(1, 0)]


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    """A new database on the same server."""
    name = unique("empty").replace("-", "_")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield database_url.rpartition("/")[0] + f"/{name}"
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def migrate(url: str) -> int:
    """Run the command as another machine would."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from cli.database import migrate; migrate()",
        cwd=Path(str(models.__file__)).parent.parent,
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
    )
    return await process.wait()


async def test_several_may_migrate_an_empty_database_at_once(empty_database: str) -> None:
    assert await asyncio.gather(*(migrate(empty_database) for _ in range(3))) == [0, 0, 0]
    with psycopg.connect(empty_database) as connection:
        version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert version == [(_head(),)]


def test_the_migrations_lead_to_exactly_these_tables(database_url: str) -> None:
    """`alembic check` raises when the metadata has anything that the migrations do not create."""
    url = async_url(database_url)
    command.check(alembic_config(url))


def test_the_head_file_names_the_newest_revision() -> None:
    head = Path(str(models.__file__)).parent / "migrations" / "HEAD"
    assert head.read_text().strip() == _head()


def test_a_foreign_tenant_cannot_own_a_row_of_another(database_url: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(errors.ForeignKeyViolation):
        connection.execute(
            "INSERT INTO credit_account (tenant_id, delivery_mode, merchant_id, channel,"
            " available, held) VALUES (-1, 'LIVE', -1, 'SMS', 0, 0)"
        )


def _head() -> str | None:
    scripts = ScriptDirectory.from_config(alembic_config("postgresql+psycopg://nowhere"))
    return scripts.get_current_head()
