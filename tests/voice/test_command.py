"""`hexavox voice`: preparation by an operator, and the signing key of browser tokens."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import OperationalError, sql
from typer.testing import CliRunner

from cli.dev.postgres import EmbeddedPostgres
from cli.main import app
from models.queries.voice.sip_registrations import RegistrarTables
from models.rules.voice.sip import SipSecrets
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import unique
from tests.stack import async_url, make_database
from tests.voice.registrar import prepare

FIRST, SECOND = "firstPassword1234", "secondPassword123"


@pytest.fixture
def own_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of the test's own, because schemas belong to a database."""
    name = unique("voice").replace("-", "_")
    yield make_database(postgres, name)
    with psycopg.connect(postgres.url, autocommit=True) as db:
        db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def role() -> str:
    """A role of the test's own, because roles belong to the whole server."""
    return unique("registrar").replace("-", "_")


def url_of(role: str, password: str, url: str) -> str:
    return f"postgresql://{role}:{password}@{url.partition('@')[2]}"


def opens(url: str, role: str, password: str) -> bool:
    try:
        psycopg.connect(url, user=role, password=password).close()
    except OperationalError:
        return False
    return True


def test_it_may_be_repeated_and_the_last_password_holds(database_url: str, role: str) -> None:
    for password in (FIRST, FIRST, SECOND):
        assert prepare(database_url, password, role=role).exit_code == 0
    assert (opens(database_url, role, FIRST), opens(database_url, role, SECOND)) == (False, True)


@pytest.mark.parametrize("password", ["short", "with space 123456", "p@ssword:1234/5678"])
def test_a_password_that_fits_no_address_is_refused(own_url: str, role: str, password: str) -> None:
    refused = prepare(own_url, password, role=role)
    assert (refused.exit_code, "letters and digits" in refused.output) == (2, True)
    assert not opens(own_url, role, password)


async def test_without_preparation_or_migration_no_user_is_registered(
    own_url: str, role: str
) -> None:
    database = Database(async_url(own_url), pool_size=2, contact_keys=CONTACT_KEYS)
    tables = RegistrarTables(database)
    assert await tables.registered(["t1m1"], datetime.now(UTC)) == []
    with psycopg.connect(own_url) as db:
        db.execute("DROP TABLE voice_presence, voice_credential")
    refused = prepare(own_url, FIRST, role=role)
    assert (refused.exit_code, "hexavox migrate" in refused.output) == (2, True)
    with psycopg.connect(own_url) as db:
        assert db.execute("SELECT to_regnamespace('kamailio')").fetchone() == (None,)
    await database.close()


def test_a_missing_createrole_privilege_is_reported(database_url: str, role: str) -> None:
    assert prepare(database_url, FIRST, role=role).exit_code == 0
    refused = prepare(url_of(role, FIRST, database_url), SECOND, role=unique("friend"))
    assert (refused.exit_code, "owner" in refused.output) == (2, True)


def test_a_role_in_other_use_is_not_taken_over(own_url: str, role: str) -> None:
    name = sql.Identifier(role)
    ours = psycopg.conninfo.conninfo_to_dict(own_url)["user"]
    assert isinstance(ours, str)
    with psycopg.connect(own_url, autocommit=True) as db:
        db.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'firstPassword1234'").format(name))
        db.execute("CREATE TABLE theirs (id integer)")
        db.execute(sql.SQL("ALTER TABLE theirs OWNER TO {}").format(name))
        for taken in (role, ours, "pg_monitor"):
            refused = prepare(own_url, SECOND, role=taken)
            assert (refused.exit_code, "not the registrar's own" in _flat(refused.output)) == (
                2,
                True,
            )
        assert opens(own_url, role, FIRST)
        db.execute("DROP TABLE theirs")
        for right in ("SUPERUSER", "CREATEROLE", "BYPASSRLS"):
            db.execute(sql.SQL("ALTER ROLE {} " + right).format(name))
            assert prepare(own_url, SECOND, role=role).exit_code == 2
            db.execute(sql.SQL("ALTER ROLE {} NO" + right).format(name))
        assert db.execute("SELECT to_regnamespace('kamailio')").fetchone() == (None,)
    assert prepare(own_url, SECOND, role=role).exit_code == 0
    assert opens(own_url, role, SECOND)


def _flat(printed: str) -> str:
    """Remove the frame and the line breaks of an error."""
    return " ".join(printed.replace("│", " ").split())


def test_the_key_of_tokens_is_printed_for_a_gateway() -> None:
    secret = "only-for-tests-too"
    environment = {"DATABASE_URL": "postgresql://nowhere", "HEXAVOX_SERVER_SECRET": secret}
    printed = CliRunner().invoke(app, ["voice", "token-key"], env=environment)
    assert printed.output.strip() == SipSecrets(secret).token_key.hex()
