"""The embedded Postgres keeps its data through crashes, and accepts no other users."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest

from cli.dev.account import find_account
from cli.dev.postgres import EmbeddedPostgres
from cli.dev.private_files import FolderBusyError
from tests.cli.alive import is_alive

ROOT = Path(__file__).parents[2]
START_AND_HANG = """
import sys, time
from pathlib import Path
from cli.dev.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder, whose data are removed at the end wherever they are."""
    yield tmp_path / "postgres"
    with EmbeddedPostgres(tmp_path / "postgres", durable=False):
        pass


def write(server: EmbeddedPostgres, word: str) -> None:
    """Commit one word."""
    with psycopg.connect(server.url) as db:
        db.execute("CREATE TABLE IF NOT EXISTS word (word text)")
        db.execute("INSERT INTO word VALUES (%s)", [word])


def words(server: EmbeddedPostgres) -> list[str]:
    """All words committed."""
    with psycopg.connect(server.url) as db:
        return [row[0] for row in db.execute("SELECT word FROM word")]


def wait_until_gone(pid: int) -> None:
    """Wait for a process that is not our child; possibly nothing reaps a zombie."""
    deadline = monotonic() + 15
    while is_alive(pid):
        assert monotonic() < deadline, f"process {pid} is still there"
        sleep(0.02)


def test_a_restart_finds_the_data(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    write(server, "kept")
    server.stop()
    again = EmbeddedPostgres(folder)
    again.start()
    assert words(again) == ["kept"]
    again.stop()


def test_a_killed_server_starts_again_despite_its_pid_file(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    write(server, "kept")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.start()
    assert words(server) == ["kept"]
    server.stop()


def test_a_killed_starter_leaves_neither_a_server_nor_a_locked_folder(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_HANG, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        orphan = int(starter.stdout.readline())
        starter.kill()
    server = EmbeddedPostgres(folder, durable=False)
    server.start()  # ends the orphan first, if it is still shutting down
    wait_until_gone(orphan)
    server.stop()


def test_one_folder_serves_one_server(folder: Path) -> None:
    second = EmbeddedPostgres(folder, durable=False)
    with (
        EmbeddedPostgres(folder, durable=False),
        pytest.raises(FolderBusyError, match="already runs"),
    ):
        second.start()


def test_a_wrong_password_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        password = (folder / "password").read_text().strip()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url.replace(password, "guess"))
        assert (folder / "password").stat().st_mode & 0o777 == 0o600


def test_text_is_utf8_and_sorted_alike_on_every_machine(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server, psycopg.connect(server.url) as db:
        query = "SELECT datlocale, pg_encoding_to_char(encoding) FROM pg_database"
        assert set(db.execute(query)) == {("C.UTF-8", "UTF8")}


def test_only_a_durable_server_waits_for_the_disk(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server, psycopg.connect(server.url) as db:
        assert db.execute("SHOW fsync").fetchone() == ("off",)
    server = EmbeddedPostgres(folder)
    server.start()
    with psycopg.connect(server.url) as db:
        assert db.execute("SHOW fsync").fetchone() == ("on",)
    server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for Postgres")
def test_as_root_the_server_runs_as_a_user_of_its_own(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        account = find_account()
        assert account is not None
        assert Path(f"/proc/{server.pid}").stat().st_uid == account.uid != 0
        home = Path((folder / "location").read_text().strip())
        assert (home / "data").stat().st_mode & 0o777 == 0o700
    assert not home.exists()
