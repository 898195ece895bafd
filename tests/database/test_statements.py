"""PostgreSQL prepares every SQL text: names and types are correct."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import pq
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from tests.unit.sql.statements import Statement, statements
from tests.voice import registrar

INVOICES = "models.queries.billing.invoices"
MADE_FIRST = [f"{INVOICES}.{name}" for name in ("_LINES", "_INVOICE", "_KNOWN", "_COMPARED")]
"""They create the temporary tables that others read, in this order."""

TYPES = {"tenant_burst": "float8", "key_burst": "float8"}
"""Parameters whose type PostgreSQL cannot infer: the driver sends it."""


class Prepared:
    """A connection in one transaction, with the temporary tables and the registrar's schema."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def fault(self, words: str) -> str | None:
        """Return PostgreSQL's error for a statement; None if it is valid."""
        statement, parameters = _numbered(words)
        wanted = (TYPES.get(name) for name in parameters)
        known = self._connection.adapters.types
        types = [0 if name is None else known[name].oid for name in wanted]
        self._connection.execute("SAVEPOINT before")
        result = self._connection.pgconn.prepare(b"", statement, types)
        self._connection.execute("ROLLBACK TO before")
        right = result.status == pq.ExecStatus.COMMAND_OK
        return None if right else result.error_message.decode()

    def make(self, words: str) -> None:
        """Execute a statement with NULL as every parameter."""
        statement, parameters = _numbered(words)
        result = self._connection.pgconn.exec_params(statement, [None] * len(parameters))
        assert result.status == pq.ExecStatus.COMMAND_OK, result.error_message


def _numbered(words: str) -> tuple[bytes, list[str]]:
    """Return a statement with $1, $2, and the names of its parameters in that order."""
    compiled = text(words).compile(dialect=PGDialect_asyncpg())  # type: ignore[no-untyped-call]
    return str(compiled).encode(), list(compiled.positiontup or ())


@pytest.fixture(scope="module")
def prepared(database_url: str) -> Iterator[Prepared]:
    """The migrated schema, as a session that compares an invoice uses it."""
    assert registrar.prepare(database_url, role="prepared").exit_code == 0
    by_name = {statement.name: statement for statement in statements()}
    with psycopg.connect(database_url) as connection, connection.transaction(force_rollback=True):
        prepared = Prepared(connection)
        for name in MADE_FIRST:
            prepared.make(by_name[name].words)
        yield prepared


@pytest.mark.parametrize(
    "statement", [s for s in statements() if s.name not in MADE_FIRST], ids=str
)
def test_postgres_prepares_it(prepared: Prepared, statement: Statement) -> None:
    assert prepared.fault(statement.words) is None


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("SELECT idd FROM message", 'column "idd" does not exist'),
        ("SELECT 1 FROM messages", 'relation "messages" does not exist'),
        ("SELECT 1 FROM message WHERE units = 'many'", "invalid input syntax for type integer"),
        ("SELECT 1 FROM message WHERE id = CAST(:id AS text)", "operator does not exist"),
        ("INSERT INTO receipt (tenant_id) VALUES (now())", "is of type bigint but expression is"),
    ],
)
def test_a_wrong_statement_is_refused(prepared: Prepared, words: str, fault: str) -> None:
    assert fault in (prepared.fault(words) or "")
