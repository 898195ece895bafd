"""Sessions: SQLAlchemy's statements and SQL text in one transaction, and its errors for both."""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import TextClause, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    MultipleResultsFound,
    NoResultFound,
    OperationalError,
    ProgrammingError,
)
from sqlmodel import col

import models.queries
from models.enums import DeliveryMode
from models.session import Database
from models.sql_text import sql_text
from models.tables.tenant import Tenant
from tests.factories import unique

PARSED_ONCE = 4096
"""Bytes of a statement that the driver parses only once: `psycopg._queries`."""

NUMBERS = text("SELECT n, n * 2 AS twice FROM generate_series(1, :most) AS n ORDER BY n")
NAMED = text("SELECT id FROM tenant WHERE name = :name")
ADD = text("INSERT INTO tenant (name, delivery_mode, created_at) VALUES (:name, 'LIVE', now())")


def tenant(name: str) -> Tenant:
    return Tenant(name=name, delivery_mode=DeliveryMode.LIVE, created_at=datetime.now(UTC))


def statements() -> Iterator[tuple[str, TextClause]]:
    for module in pkgutil.iter_modules(models.queries.__path__):
        names = vars(importlib.import_module(f"models.queries.{module.name}"))
        for name, value in names.items():
            if isinstance(value, TextClause):
                yield f"{module.name}.{name}", value


@pytest.fixture
async def own_database(database_url: str) -> AsyncIterator[Database]:
    """A pool whose connections a test may break."""
    database = Database(
        database_url.replace("postgresql://", "postgresql+psycopg://", 1), pool_size=3
    )
    yield database
    await database.close()


async def test_rows_of_a_text_are_those_of_sqlalchemy(database: Database) -> None:
    async with database.read() as db:
        rows = (await db.execute(NUMBERS, {"most": 3})).all()
        assert [(row.n, row.twice) for row in rows] == [(1, 2), (2, 4), (3, 6)]
        assert rows[0]._mapping["twice"] == 2
        assert (await db.scalars(NUMBERS, {"most": 3})).all() == [1, 2, 3]
        assert await db.scalar(NUMBERS, {"most": 3}) == 1
        assert await db.scalar(NUMBERS, {"most": 0}) is None
        assert (await db.execute(NUMBERS, {"most": 0})).one_or_none() is None
        with pytest.raises(NoResultFound):
            (await db.execute(NUMBERS, {"most": 0})).one()
        with pytest.raises(MultipleResultsFound):
            (await db.execute(NUMBERS, {"most": 2})).one()


async def test_a_text_and_a_mapped_row_are_one_transaction(database: Database) -> None:
    first, second = unique("first"), unique("second")

    async def fail() -> None:
        async with database.transaction() as db:
            db.add(tenant(first))
            await db.flush()
            assert await db.scalar(NAMED, {"name": first}) is not None
            await db.execute(ADD, {"name": second})
            found = await db.scalars(select(Tenant).where(col(Tenant.name) == second))
            assert found.one().delivery_mode == DeliveryMode.LIVE
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.read() as db:
        assert await db.scalar(NAMED, {"name": first}) is None
        assert await db.scalar(NAMED, {"name": second}) is None


async def test_what_was_only_added_is_written_when_the_transaction_ends(
    database: Database,
) -> None:
    name = unique("added")
    async with database.transaction() as db:
        db.add(tenant(name))
    async with database.read() as db:
        assert await db.scalar(NAMED, {"name": name}) is not None


async def test_what_was_changed_is_written_when_the_transaction_ends(database: Database) -> None:
    name, changed = unique("before"), unique("after")
    async with database.transaction() as db:
        await db.execute(ADD, {"name": name})
    async with database.transaction() as db:
        (await db.scalars(select(Tenant).where(col(Tenant.name) == name))).one().name = changed
    async with database.read() as db:
        assert await db.scalar(NAMED, {"name": changed}) is not None


async def test_a_statement_is_committed_by_itself(database: Database) -> None:
    name = unique("alone")

    async def fail() -> None:
        async with database.statement() as db:
            await db.execute(ADD, {"name": name})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.read() as db:
        assert await db.scalar(NAMED, {"name": name}) is not None


async def test_a_document_is_written_as_one_and_percent_and_colon_stay(
    database: Database,
) -> None:
    statement = text("SELECT :told -> 'b' AS b, 'x' LIKE '%x' AS alike, CAST('1' AS int) AS one")
    statement = statement.bindparams(bindparam("told", type_=JSONB))
    async with database.read() as db:
        row = (await db.execute(statement, {"told": {"b": ["%", {"c": None}]}})).one()
    assert (row.b, row.alike, row.one) == (["%", {"c": None}], True, 1)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO tenant (id) VALUES (:secret)", IntegrityError),
        ("SELECT nothing FROM nowhere WHERE :secret", ProgrammingError),
        ("SELECT CAST(:secret AS text[])", DBAPIError),
    ],
)
async def test_errors_are_sqlalchemys_and_tell_no_parameter(
    database: Database, statement: str, error: type[DBAPIError]
) -> None:
    secret: Any = 123456789 if "INSERT" in statement else "told-to-nobody"
    with pytest.raises(error) as raised:
        async with database.transaction() as db:
            await db.execute(text(statement), {"secret": secret})
    assert isinstance(raised.value.orig, psycopg.Error)
    assert str(secret) not in str(raised.value).replace(str(raised.value.orig), "")
    async with database.read() as db:
        assert await db.scalar(NUMBERS, {"most": 1}) == 1


async def test_errors_of_mapped_rows_tell_no_parameter_either(database: Database) -> None:
    secret = "told-to-nobody"
    with pytest.raises(DBAPIError) as raised:
        async with database.transaction() as db:
            await db.execute(select(Tenant).where(func.to_date(secret, secret).is_not(None)))
    assert secret not in str(raised.value).replace(str(raised.value.orig), "")


async def test_after_a_restart_of_the_server_one_failure_renews_every_connection(
    own_database: Database, database: Database
) -> None:
    backends = text("SELECT pg_backend_pid()")
    async with own_database.read() as one, own_database.read() as two, own_database.read() as three:
        pids = [await db.scalar(backends) for db in (one, two, three)]
    async with database.read() as db:
        await db.execute(
            text("SELECT pg_terminate_backend(pid, 5000) FROM unnest(CAST(:pids AS int[])) AS pid"),
            {"pids": pids},
        )
    with pytest.raises(OperationalError) as raised:
        async with own_database.transaction() as broken:
            await broken.scalar(backends)
    assert raised.value.connection_invalidated
    async with own_database.read() as one, own_database.read() as two, own_database.read() as three:
        assert {await db.scalar(backends) for db in (one, two, three)}.isdisjoint(pids)


def test_a_statement_loses_its_indentation_and_nothing_else() -> None:
    indented = "\n    SELECT ' a ',\n           :b\n"
    assert sql_text(text(indented)).words == "\nSELECT ' a ',\n%(b)s"
    spanning = "SELECT 'one\n      two'"
    assert sql_text(text(spanning)).words == spanning


@pytest.mark.parametrize("statement", [pytest.param(s, id=name) for name, s in statements()])
def test_no_statement_is_too_long_to_be_parsed_only_once(statement: TextClause) -> None:
    assert len(sql_text(statement).words.encode()) <= PARSED_ONCE
