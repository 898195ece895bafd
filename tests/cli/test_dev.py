"""`hexavox dev` from its environment to the end of the last child, with stand-ins for commands."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from cli.dev.account import HOMES
from cli.dev.demo import kept_key
from cli.dev.dev_settings import BadDevSettingsError, DevSettings
from cli.dev.local_http import status_of
from cli.dev.stale_postgres import find_postmaster
from cli.dev.tcp_ports import LOOPBACK, free_ports, is_taken

ROOT = Path(__file__).parents[2]
DEV = f"""
import sys
from cli.dev.command import run_dev
sys.exit(run_dev([sys.executable, {str(ROOT / "tests/cli/fake_hexavox.py")!r}]))
"""
PORT_NAMES = ("API", "TEMPORAL", "TEMPORAL_UI", "SIMULATOR")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with a folder and ports of its own."""
    free = free_ports(len(PORT_NAMES))
    ports = {f"HEXAVOX_{name}_PORT": str(port) for name, port in zip(PORT_NAMES, free, strict=True)}
    ours = {"HEXAVOX_DATA_DIR": str(tmp_path / "data"), **ports}
    known = {"PATH": os.environ["PATH"], **ours}
    yield known
    note = tmp_path / "data/postgres/location"
    if note.exists() and (home := Path(note.read_text().strip())).is_relative_to(HOMES):
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def started(env: dict[str, str], umask: int = 0o022) -> Iterator[subprocess.Popen[str]]:
    """A running start; stopped at the end if necessary."""
    log = Path(env["HEXAVOX_DATA_DIR"]).with_suffix(".out")
    with log.open("a+") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", DEV],
            cwd=ROOT,
            env=env,
            stdout=out,
            stderr=out,
            text=True,
            umask=umask,
        )
        try:
            deadline = monotonic() + 60
            seen = out.tell()
            while "Ctrl-C stops" not in log.read_text()[seen:]:
                assert process.poll() is None, log.read_text()
                assert monotonic() < deadline, log.read_text()
                sleep(0.05)
            yield process
        finally:
            process.terminate()
            process.wait(20)


def run(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a start that is expected to end by itself."""
    command = [sys.executable, "-c", DEV]
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_everything_comes_up_and_goes_down(env: dict[str, str]) -> None:
    data = Path(env["HEXAVOX_DATA_DIR"])
    with started(env) as process:
        assert status_of(f"http://{LOOPBACK}:{env['HEXAVOX_API_PORT']}/readyz") == 200
        assert (data / "dev.env").stat().st_mode & 0o777 == 0o600
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert not any(is_taken(int(env[f"HEXAVOX_{name}_PORT"])) for name in PORT_NAMES)
    lines = (data / "dev.env").read_text().splitlines()
    assert [line.split("=")[0] for line in lines] == [
        "export HEXAVOX_URL",
        "export HEXAVOX_API_KEY",
        "export HEXAVOX_API_SECRET",
        "export HEXAVOX_SIMULATOR_URL",
        "export HEXAVOX_SIMULATOR_TOKEN",
        "export HEXAVOX_TEMPORAL_UI_URL",
    ]


def test_new_and_existing_files_are_private(env: dict[str, str]) -> None:
    data = Path(env["HEXAVOX_DATA_DIR"])
    before = ("logs/api.log", "logs/api.old.log", "simulator/simulator.sqlite3", "dev.env")
    for name in before:
        (data / name).parent.mkdir(mode=0o777, parents=True, exist_ok=True)
        (data / name).touch()
        (data / name).chmod(0o666)
    for folder in (data, data / "logs", data / "simulator"):
        folder.chmod(0o777)
    with started(env, umask=0):
        modes = {
            str(path.relative_to(data)): stat.S_IMODE(path.lstat().st_mode)
            for path in (data, *data.rglob("*"))
            if "postgres/data" not in str(path)
        }
    assert {"temporal.db", "temporal.db-wal", "logs/temporal.log", "lock", *before} <= set(modes)
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def test_a_process_gets_the_secrets_it_needs_and_no_others(env: dict[str, str]) -> None:
    data = Path(env["HEXAVOX_DATA_DIR"])
    # As after `source .hexavox/dev.env`, in the shell of an operator of other systems.
    left_over = {"HEXAVOX_API_SECRET": "s", "PGPASSWORD": "p", "AWS_SECRET_ACCESS_KEY": "a"}
    with started(env | left_over):
        told = {path.name: set(path.read_text().split()) for path in data.glob("environment-*")}
    secret = {name for names in told.values() for name in names if name.endswith("_SECRET")}
    keyed = {
        name
        for name, names in told.items()
        if {"HEXAVOX_CONTACT_KEY_FILE", "HEXAVOX_WEBHOOK_KEY_FILE"} <= names
    }
    assert keyed == {"environment-api", "environment-worker"}
    assert secret == {
        "HEXAVOX_SERVER_SECRET",
        "HEXAVOX_SIMULATOR_SECRET",
        "HEXAVOX_TURN_SECRET",
    }
    simulator = told["environment-simulator"]
    assert {"HEXAVOX_SIMULATOR_SECRET", "HEXAVOX_SIMULATOR_TOKEN"} <= simulator
    assert not simulator & {
        "DATABASE_URL",
        "TEMPORAL_ADDRESS",
        "HEXAVOX_SERVER_SECRET",
        "HEXAVOX_TURN_SECRET",
        *left_over,
    }
    assert secret <= told["environment-api"]
    assert "HEXAVOX_SIMULATOR_TOKEN" not in told["environment-api"] | told["environment-worker"]
    assert "HEXAVOX_TURN_SECRET" not in told["environment-worker"]
    assert not secret & told["environment-key"]


def test_the_simulator_runs_under_the_production_profile_too(env: dict[str, str]) -> None:
    data = Path(env["HEXAVOX_DATA_DIR"])
    with started(env | {"HEXAVOX_PROFILE": "production"}):
        assert (data / "options-simulator").read_text() == "--in-production"
        assert (data / "options-api").read_text() == ""


def test_the_key_is_kept_while_the_database_knows_it(env: dict[str, str]) -> None:
    data = Path(env["HEXAVOX_DATA_DIR"])
    with started(env):
        first = kept_key(data / "dev.env")
    with started(env):
        assert kept_key(data / "dev.env") == first
    (data / "key-1").rename(data / "key-of-another-database")
    with started(env):
        assert kept_key(data / "dev.env") != first


def test_a_second_start_in_the_same_folder_is_refused(env: dict[str, str]) -> None:
    with started(env):
        refused = run(env)
    assert refused.returncode == 1
    assert "already runs in" in refused.stderr


def test_a_killed_start_leaves_nothing_and_the_next_goes_on(env: dict[str, str]) -> None:
    data = Path(env["HEXAVOX_DATA_DIR"])
    with started(env) as process:
        first = kept_key(data / "dev.env")
        process.kill()
        process.wait()
    with started(env):
        assert kept_key(data / "dev.env") == first


def test_a_killed_postgres_is_back_on_its_port(env: dict[str, str]) -> None:
    data = Path(env["HEXAVOX_DATA_DIR"])
    with started(env):
        note = data / "postgres/location"
        home = Path(note.read_text().strip()) if note.exists() else data / "postgres"
        first = find_postmaster(home / "data")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        deadline = monotonic() + 5
        while find_postmaster(home / "data") in (None, first):
            assert monotonic() < deadline, (data / "logs/postgres.log").read_text()
            sleep(0.02)


def test_a_taken_port_is_named_with_its_variable(env: dict[str, str]) -> None:
    with socket.create_server((LOOPBACK, int(env["HEXAVOX_SIMULATOR_PORT"]))):
        refused = run(env)
    assert refused.returncode == 1
    assert "set HEXAVOX_SIMULATOR_PORT to a free port" in refused.stderr


@pytest.mark.parametrize("port", ["0", "65536", "eighty"])
def test_an_invalid_port_is_refused(port: str) -> None:
    with pytest.raises(BadDevSettingsError, match="HEXAVOX_API_PORT"):
        DevSettings.read({"HEXAVOX_API_PORT": port})


def test_two_servers_on_one_port_are_refused() -> None:
    with pytest.raises(BadDevSettingsError, match="HEXAVOX_API_PORT and HEXAVOX_SIMULATOR_PORT"):
        DevSettings.read({"HEXAVOX_API_PORT": "9000", "HEXAVOX_SIMULATOR_PORT": "9000"})


def test_a_folder_of_another_version_is_refused_with_what_to_do(env: dict[str, str]) -> None:
    data = Path(env["HEXAVOX_DATA_DIR"])
    data.mkdir(parents=True)
    (data / "other-version").touch()
    ended = run(env)
    assert ended.returncode == 1
    assert f"mv {data} {data}.old" in ended.stderr
    assert "HEXAVOX_DATA_DIR=/path/to/another make run" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
