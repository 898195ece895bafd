"""Sessions: SQLAlchemy's statements and SQL text in one transaction, and its errors for both."""

import asyncio
import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.errors import AdminShutdown
from sqlalchemy import TextClause, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    MultipleResultsFound,
    NoResultFound,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlmodel import col

import activities
import api
import cli
import models
import providers
from models.database.sql_text import sql_text
from models.enums import DeliveryMode
from models.session import Database
from models.tables.tenant import Tenant
from tests.contacts import CONTACT_KEYS
from tests.factories import unique
from tests.stack import async_url

BYTES, PARAMETERS = 4096, 50
"""Limits of a statement that psycopg caches when parsed: `psycopg._queries`."""

SELDOM = (
    "models.queries.billing.usage.TOTALS",
    "models.queries.messages.batches.chunk_settlement._END",
)
"""Longer, and executed once per report, or once for up to 50 messages (decision 80)."""

NUMBERS = text("SELECT n, n * 2 AS twice FROM generate_series(1, :most) AS n ORDER BY n")
BACKEND = text("SELECT pg_backend_pid()")
END = text("SELECT pg_terminate_backend(pid, 5000) FROM unnest(CAST(:pids AS int[])) AS pid")
NAMED = text("SELECT id FROM tenant WHERE name = :name")
ADD = text("INSERT INTO tenant (name, delivery_mode, created_at) VALUES (:name, 'LIVE', now())")


def tenant(name: str) -> Tenant:
    return Tenant(name=name, delivery_mode=DeliveryMode.LIVE, created_at=datetime.now(UTC))


def statements() -> Iterator[tuple[str, TextClause]]:
    """Return every named SQL text, single or in a mapping."""
    for room in (models, api, activities, cli, providers):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if ".migrations" in module.name or module.name.endswith("__main__"):
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                several = value.values() if isinstance(value, Mapping) else [value]
                for number, one in enumerate(several):
                    if isinstance(one, TextClause):
                        yield f"{module.name}.{name}.{number}", one


@pytest.fixture
async def own_database(database_url: str) -> AsyncIterator[Database]:
    """A pool whose connections a test may break."""
    database = Database(async_url(database_url), pool_size=3, contact_keys=CONTACT_KEYS)
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


async def pids(database: Database) -> set[int]:
    """Return the backends of three concurrent sessions."""
    async with database.read() as one, database.read() as two, database.read() as three:
        return {await db.scalar(BACKEND) or 0 for db in (one, two, three)}


async def end(database: Database, backends: set[int]) -> None:
    """Terminate backends, as a server restart does."""
    async with database.read() as db:
        await db.execute(END, {"pids": list(backends)})


@pytest.mark.parametrize("kind", ["read", "statement", "transaction"])
async def test_a_restart_of_the_server_between_two_sessions_is_not_noticed(
    own_database: Database, database: Database, kind: str
) -> None:
    before = await pids(own_database)
    await end(database, before)
    async with getattr(own_database, kind)() as db:
        assert await db.scalar(NUMBERS, {"most": 1}) == 1
    assert (await pids(own_database)).isdisjoint(before)


@pytest.mark.parametrize("kind", ["read", "statement", "transaction"])
async def test_one_failure_after_a_restart_of_the_server_renews_every_connection(
    own_database: Database, database: Database, kind: str
) -> None:
    before = await pids(own_database)

    async def lose() -> None:
        async with getattr(own_database, kind)() as db:
            await end(database, before)
            await db.scalar(NUMBERS, {"most": 1})

    with pytest.raises(OperationalError) as raised:
        await lose()
    assert raised.value.connection_invalidated
    assert raised.value.statement == spelled(NUMBERS.text)
    assert isinstance(raised.value.orig, AdminShutdown)
    assert (await pids(own_database)).isdisjoint(before)


@pytest.mark.parametrize("options", [{}, {"execution_options": {"by": "SQLAlchemy"}}])
@pytest.mark.parametrize("state", ["25P03", "25P04", "53200"])
async def test_a_fault_of_one_backend_costs_only_its_connection(
    own_database: Database, state: str, options: dict[str, Any]
) -> None:
    before = await pids(own_database)
    planted = text(f"DO $$ BEGIN RAISE 'planted' USING ERRCODE = '{state}'; END $$")
    met: set[int | None] = set()

    async def fail() -> None:
        async with own_database.transaction() as db:
            met.add(await db.scalar(BACKEND))
            await db.execute(planted, **options)

    with pytest.raises(DBAPIError):
        await fail()
    assert await pids(own_database) & before == before - met


async def test_a_reader_whose_connection_was_lost_has_another(
    own_database: Database, database: Database
) -> None:
    async with own_database.read() as db:
        lost = {await db.scalar(BACKEND) or 0}
        await end(database, lost)
        with pytest.raises(OperationalError):
            await db.scalar(BACKEND)
        assert await db.scalar(BACKEND) not in {None, *lost}


async def test_a_transaction_that_failed_in_a_flush_takes_no_more(database: Database) -> None:
    taken, name = unique("taken"), unique("late")

    async def go_on() -> None:
        async with database.transaction() as db:
            db.add_all([tenant(taken), tenant(taken)])
            with pytest.raises(IntegrityError):
                await db.flush()
            with pytest.raises(SQLAlchemyError):
                await db.execute(ADD, {"name": name})

    with pytest.raises(SQLAlchemyError):
        await go_on()
    async with database.read() as db:
        assert await db.scalar(NAMED, {"name": name}) is None


async def test_a_transaction_that_failed_in_a_text_takes_no_more(database: Database) -> None:
    name = unique("late")
    async with database.transaction() as db:
        with pytest.raises(DBAPIError):
            await db.execute(text("SELECT 1 / 0"))
        with pytest.raises(DBAPIError):
            await db.execute(ADD, {"name": name})
    async with database.read() as db:
        assert await db.scalar(NAMED, {"name": name}) is None


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", ["read", "statement", "transaction"])
async def test_a_cancelled_statement_is_only_cancelled_and_its_connection_not_used_again(
    own_database: Database, kind: str, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    backend: list[int] = []
    begun = asyncio.Event()

    async def wait() -> None:
        async with getattr(own_database, kind)() as db:
            backend.append(await db.scalar(BACKEND))
            begun.set()
            await db.execute(text("SELECT pg_sleep(60)"))

    waiting = asyncio.create_task(wait())
    await begun.wait()
    await asyncio.sleep(0.1)
    for _ in range(times):
        waiting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await pids(own_database)).isdisjoint(backend)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_parameters_that_text_cannot_express_are_left_to_sqlalchemy(
    database: Database,
) -> None:
    default = text("SELECT CAST(:x AS int)").bindparams(x=5)
    spread = text("SELECT 1 WHERE 2 IN :some").bindparams(bindparam("some", expanding=True))
    async with database.transaction() as db:
        assert await db.scalar(default) == 5
        assert await db.scalar(spread, {"some": [1, 2]}) == 1
        for several in (list, tuple):
            await db.execute(ADD, several({"name": unique("many")} for _ in range(2)))


def test_a_statement_loses_its_indentation_and_nothing_else() -> None:
    assert spelled("\n    SELECT ' a ',\n           :b\n") == "\nSELECT ' a ',\n%(b)s"
    spanning = "SELECT 'one\n      two'"
    assert spelled(spanning) == spanning


@pytest.mark.parametrize(("name", "statement"), list(statements()))
def test_no_statement_is_too_long_to_be_parsed_only_once(name: str, statement: TextClause) -> None:
    told = sql_text(statement)
    assert told is not None
    if not name.startswith(SELDOM):
        assert len(told.words.encode()) <= BYTES
    assert len(statement.compile().params) <= PARAMETERS


def spelled(words: str) -> str:
    told = sql_text(text(words))
    assert told is not None
    return told.words
