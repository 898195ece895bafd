"""A process is refused if its contact key is not that of the database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from models.rules.consent.contact_keys import ContactKeys
from models.session import Database
from tests.contacts import CONTACT_KEY_FILE, CONTACT_KEYS
from tests.secret_values import SERVER_SECRET
from tests.stack import ROOT, async_url

OTHER_LINE = "1:YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcw==\n"
REFUSED = (
    "hexavox: HEXAVOX_CONTACT_KEY_FILE is not the key that the database at DATABASE_URL was "
    "written with: no opt-out would be found\n"
)


async def stored(database: Database) -> list[tuple[int, str]]:
    async with database.read() as db:
        rows = await db.execute(text("SELECT version, check_value FROM contact_key"))
        return [tuple(row) for row in rows]


@pytest.fixture
async def keyed_url(database: Database, database_url: str) -> str:
    """URL of a database that was written with the key of the tests.

    The first process that writes leaves its key: a stranger's, if it were the first one.
    """
    assert await stored(database) == [(CONTACT_KEYS.version, CONTACT_KEYS.check_value)]
    return database_url


async def test_the_first_key_is_kept_and_another_one_is_refused(
    database: Database, database_url: str
) -> None:
    assert await stored(database) == [(CONTACT_KEYS.version, CONTACT_KEYS.check_value)]
    other = ContactKeys.parse(OTHER_LINE)
    for keys in (other, ContactKeys(2, b"only for tests: thirty-two bytes")):
        strange = Database(async_url(database_url), pool_size=1, contact_keys=keys)
        with pytest.raises(OperationalError, match="another contact key"):
            await stored(strange)
        await strange.close()
    assert await stored(database) == [(CONTACT_KEYS.version, CONTACT_KEYS.check_value)]


@pytest.mark.parametrize("process", ["api", "worker"])
@pytest.mark.parametrize(
    ("content", "line", "code"),
    [
        (OTHER_LINE, REFUSED, 2),
        (
            "no key",
            "hexavox: HEXAVOX_CONTACT_KEY_FILE must be a file with one line, version:base64, of 32 "
            "random bytes or more\n",
            2,
        ),
        (
            None,
            "hexavox: HEXAVOX_CONTACT_KEY_FILE is not set: contacts are compared under its key.\n",
            2,
        ),
    ],
)
def test_a_process_says_so_in_one_line(
    keyed_url: str,
    tmp_path: Path,
    process: str,
    content: str | None,
    line: str,
    code: int,
) -> None:
    path = tmp_path / "contact.key"
    path.write_text(content or "")
    ended = subprocess.run(
        [sys.executable, "-m", "cli", process],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HEXAVOX_PROFILE": "demo",
            "HEXAVOX_SERVER_SECRET": SERVER_SECRET,
            "DATABASE_URL": keyed_url,
            "HEXAVOX_CONTACT_KEY_FILE": "" if content is None else str(path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (code, line)
    assert ended.stdout == ""


def test_the_key_of_the_tests_is_a_file_like_any_other() -> None:
    assert ContactKeys.parse(CONTACT_KEY_FILE.read_text()).check_value == CONTACT_KEYS.check_value
