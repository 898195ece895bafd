"""The ids under which rows are shown outside, for tests that hold the ids of rows.

Rows of the test database have ids that no public id can be, so that one shown by mistake is seen.
"""

import re
from base64 import b64decode
from typing import Final

import psycopg
from sqlalchemy import text

from models.rules.messages.reference import PaymentReference, Reference
from models.session import Database

_FIRST: Final = 8_880_000_000_000_000_000
_PER_TABLE: Final = 100_000_000_000_000

_ROW_ID: Final = re.compile(
    r"(?<!\d)888\d{16}(?!\d)|(?<![\da-f])7b[34][\da-f]{13}(?![\da-f])", re.ASCII
)
"""An id of a row of a database that `mark_row_ids` was applied to, in decimal or hexadecimal form.
Public ids have 16 decimal or 13 hexadecimal digits at most."""

_BASE64: Final = re.compile(r"[\w+/-]{10,}", re.ASCII)
_TO_STANDARD: Final = str.maketrans("-_", "+/")


def mark_row_ids(postgres_url: str) -> None:
    """Let every table of a new database count from a number of its own, far above public ids.

    A tenant's number is its operator's, who reads it: `hexavox tenant create` makes a sender of it.
    """
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE is_identity = 'YES' AND table_schema = 'public'"
            "   AND table_name <> 'tenant' ORDER BY table_name"
        ).fetchall()
        for place, (table, column) in enumerate(columns):
            first = _FIRST + place * _PER_TABLE + 1
            connection.execute(
                psycopg.sql.SQL("ALTER TABLE {} ALTER COLUMN {} RESTART WITH {}").format(
                    psycopg.sql.Identifier(table), psycopg.sql.Identifier(column), first
                )
            )


async def shown(database: Database, table: str, row_id: int) -> int:
    """Return the public id of a row."""
    async with database.read() as db:
        statement = text(f"SELECT public_id FROM {table} WHERE id = :id")
        public_id: int = (await db.execute(statement, {"id": row_id})).scalar_one()
    return public_id


async def row_of(database: Database, table: str, public_id: int | str) -> int:
    """Return the id of the row that is shown under a public id."""
    async with database.read() as db:
        statement = text(f"SELECT id FROM {table} WHERE public_id = :id")
        row_id: int = (await db.execute(statement, {"id": int(public_id)})).scalar_one()
    return row_id


async def reference_of(
    database: Database, tenant_id: int, message_id: int, attempt: int = 1
) -> str:
    """Return what an attempt is called at its provider."""
    reference = Reference(
        tenant=await shown(database, "tenant", tenant_id),
        message=await shown(database, "message", message_id),
        attempt=attempt,
    )
    return str(reference)


async def payment_reference_of(database: Database, tenant_id: int, payment_id: int) -> str:
    """Return what a payment is called at its gateway."""
    reference = PaymentReference(
        tenant=await shown(database, "tenant", tenant_id),
        payment=await shown(database, "payment", payment_id),
    )
    return str(reference)


def row_ids_in(written: str) -> set[str]:
    """Return every id of a row in a text: as decimal or hexadecimal digits, or in Base64."""
    decoded = [_decoded(word) for word in _BASE64.findall(written)]
    return {found for part in (written, *decoded) for found in _ROW_ID.findall(part)}


def _decoded(word: str) -> str:
    padded = word.translate(_TO_STANDARD) + "=" * (-len(word) % 4)
    try:
        return b64decode(padded).decode("ascii", "replace")
    except ValueError:
        return ""
