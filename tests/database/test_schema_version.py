"""A database of another version is refused before it is changed."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from cli.database import upgrade
from models.database.schema_version import UnknownSchemaVersion
from tests.stack import async_url

ROOT = Path(__file__).parents[2]
FOREIGN = ["0000", "ab12cd34", "9999", "initial_of_another"]


def give_revision(url: str, *revisions: str) -> None:
    """Set the revisions in the database."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM alembic_version")
        for revision in revisions:
            connection.execute("INSERT INTO alembic_version VALUES (%s)", (revision,))


def revisions_of(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
    return [row[0] for row in found]


@pytest.mark.parametrize("revision", FOREIGN)
def test_an_unknown_revision_is_refused_and_nothing_is_changed(own_url: str, revision: str) -> None:
    give_revision(own_url, revision)
    with pytest.raises(UnknownSchemaVersion, match=f"revision {revision}, which"):
        upgrade(async_url(own_url), pauses=())
    assert revisions_of(own_url) == [revision]


def test_a_database_of_this_version_is_migrated_again(own_url: str) -> None:
    before = revisions_of(own_url)
    upgrade(async_url(own_url), pauses=())
    assert revisions_of(own_url) == before


def test_the_command_says_in_one_line_what_to_do(own_url: str) -> None:
    give_revision(own_url, "0000")
    told = subprocess.run(
        [sys.executable, "-m", "cli", "migrate"],
        cwd=ROOT,
        env={"DATABASE_URL": own_url, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 3
    [line] = [line for line in told.stderr.splitlines() if line.startswith("hexavox:")]
    assert "schema revision 0000" in line
    assert "create an empty database" in line
    assert "Traceback" not in told.stderr
