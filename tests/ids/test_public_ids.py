"""Public ids: random, of 52 bits, and unique per tenant."""

from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from sqlalchemy import text

from models.session import Database
from models.tables.all_tables import metadata
from tests.factories import make_message, make_owner, new_message
from tests.shown_ids import row_ids_in, shown

BITS = 52
SHOWN = sorted(name for name, table in metadata.tables.items() if "public_id" in table.c)
NEVER_SHOWN = {
    "account_circuit",
    "account_health",
    "allowance_month",
    "attempt",
    "attempt_cost",
    "batch_line",
    "contact_key",
    "credit_account",
    "destination_window",
    "idempotency_record",
    "load_sample",
    "message_metadata",
    "message_recipient",
    "payment_event",
    "price",
    "provider_account",
    "rate",
    "receipt",
    "request_bucket",
    "sender_address",
    "sender_queue",
    "spending_day",
    "step_failure",
    "suppression",
    "usage_closing",
    "usage_correction",
    "usage_day",
    "usage_record",
    "voice_presence",
}
"""Tables without public ids."""


def test_every_table_has_a_public_id_or_is_never_shown_by_one() -> None:
    assert set(SHOWN) | NEVER_SHOWN == set(metadata.tables)
    assert set(SHOWN) & NEVER_SHOWN == set()


async def test_ten_thousand_draws_are_all_different_and_use_every_bit(database: Database) -> None:
    async with database.read() as db:
        default = await db.scalar(
            text(
                "SELECT column_default FROM information_schema.columns"
                " WHERE table_name = 'message' AND column_name = 'public_id'"
            )
        )
        drawn = text(f"SELECT {default} FROM generate_series(1, 10000) AS n WHERE n > 0")
        ids = (await db.execute(drawn)).scalars().all()
    assert len(set(ids)) == 10_000
    assert min(ids) > 0
    assert max(ids) < 2**BITS
    for bit in range(BITS):  # half of the draws, within ten standard deviations
        assert abs(sum(id >> bit & 1 for id in ids) - 5_000) < 500, bit


@pytest.mark.parametrize("table", SHOWN)
def test_each_table_draws_for_itself_and_guards_its_ids(database_url: str, table: str) -> None:
    with psycopg.connect(database_url) as db:
        default, nullable = _one(
            db.execute(
                "SELECT column_default, is_nullable FROM information_schema.columns"
                " WHERE table_name = %s AND column_name = 'public_id'",
                [table],
            )
        )
        unique = db.execute(
            "SELECT (SELECT array_agg(a.attname::text ORDER BY a.attname)"
            "          FROM unnest(c.conkey) AS k (num)"
            "          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num)"
            "  FROM pg_constraint c WHERE c.contype = 'u' AND c.conname LIKE '%%\\_public\\_id'"
            "   AND c.conrelid = %s::regclass",
            [table],
        ).fetchall()
    assert "gen_random_uuid()" in default
    assert nullable == "NO"
    # A tenant's public id is globally unique: vendors' references and links contain it alone.
    assert unique == [(["public_id"] if table == "tenant" else ["public_id", "tenant_id"],)]


async def test_a_tenant_has_an_id_once_and_another_tenant_may_have_it_too(
    database: Database, database_url: str
) -> None:
    one, other = await make_owner(database), await make_owner(database)
    first, second = [await make_message(database, new_message(one)) for _ in range(2)]
    theirs = await make_message(database, new_message(other))
    drawn = await shown(database, "message", first)
    with psycopg.connect(database_url, autocommit=True) as db:
        statement = sql.SQL("UPDATE message SET public_id = %s WHERE id = %s")
        with pytest.raises(errors.UniqueViolation):
            db.execute(statement, [drawn, second])
        assert db.execute(statement, [drawn, theirs]).rowcount == 1


def test_the_scan_for_row_ids_sees_them_in_every_form() -> None:
    row_id = 8_880_900_000_000_000_001
    hexadecimal = f"{row_id:x}"
    for written in (f"hx-1-{row_id}-1", f"t{hexadecimal}m1", "ODg4MDkwMDAwMDAwMDAwMDAwMQ"):
        assert row_ids_in(f'{{"id": "{written}"}}'), written
    assert row_ids_in("hx-3863986146141283-401009481847390-1 tdb0a1f2c3d4e5m5") == set()


def _one(cursor: "psycopg.Cursor[Any]") -> Any:
    return cursor.fetchone()
