"""Messages to an operator when a process cannot start: one line, no stack trace, no secret."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.contacts import CONTACT_KEY_FILE
from tests.secret_values import SERVER_SECRET, SIMULATOR_SECRET, SIMULATOR_TOKEN
from tests.stack import ROOT
from tests.webhook_key import WEBHOOK_KEY_FILE

SERVES = {
    "PATH": os.environ["PATH"],
    "HEXAVOX_PROFILE": "demo",
    "DATABASE_URL": "postgresql://user:hidden@127.0.0.1:1/name",
    "HEXAVOX_SERVER_SECRET": SERVER_SECRET,
    "HEXAVOX_CONTACT_KEY_FILE": str(CONTACT_KEY_FILE),
    "HEXAVOX_WEBHOOK_KEY_FILE": str(WEBHOOK_KEY_FILE),
    "HEXAVOX_SIMULATOR_SECRET": SIMULATOR_SECRET,
    "HEXAVOX_SIMULATOR_TOKEN": SIMULATOR_TOKEN,
}


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Restores the umask that a command changes."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def told_here(*command: str, **environment: str) -> tuple[int, str]:
    """Run a command in this process; for errors that occur before logging is configured."""
    ended = CliRunner().invoke(app, command, env={**SERVES, **environment})
    return ended.exit_code, ended.output


def told(*command: str, **environment: str) -> tuple[int, str]:
    """Run a command as a process; return its exit code and output."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli", *command],
        cwd=ROOT,
        env={**SERVES, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("process", ["api", "simulator"])
def test_a_taken_port_is_named_with_its_variable(process: str) -> None:
    variable = f"HEXAVOX_{process.upper()}_PORT"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = told(process, **{variable: str(port)})
    line = f"hexavox: port {port} is taken by another program: stop it, or set {variable}\n"
    assert (code, text) == (1, line)


def test_an_address_that_is_not_here_is_named() -> None:
    code, text = told("api", HEXAVOX_API_HOST="192.0.2.1")
    assert (code, text) == (1, "hexavox: HEXAVOX_API_HOST is no address of this machine\n")


@pytest.mark.parametrize("process", ["api", "worker"])
def test_an_invalid_temporal_address_is_reported(process: str) -> None:
    expected = "hexavox: TEMPORAL_ADDRESS must be host and port, such as 127.0.0.1:7233\n"
    assert told_here(process, TEMPORAL_ADDRESS="temporal") == (2, expected)


def test_a_task_queue_that_does_not_exist_is_refused_with_the_list() -> None:
    code, text = told("worker", "--queue", "messages", "--queue", "mony")
    assert (code, text) == (
        2,
        "hexavox: --queue mony: there is no such task queue; did you mean money?\n"
        "hexavox: The task queues are batches, housekeeping, messages, money, providers, "
        "registration, webhooks, provider-simulator\n",
    )


def test_a_missing_temporal_profile_is_reported() -> None:
    code, text = told("worker", TEMPORAL_PROFILE="elsewhere")
    assert (code, text.count("\n")) == (2, 1)
    assert "TEMPORAL_PROFILE" in text


def test_a_certificate_without_its_key_is_reported(tmp_path: Path) -> None:
    profile = tmp_path / "temporal.toml"
    profile.write_text('[profile.default.tls]\nclient_cert_data = "hidden"\n')
    code, text = told("worker", TEMPORAL_CONFIG_FILE=str(profile))
    assert (code, text.count("\n"), "hidden" in text) == (2, 1, False)
    assert "TEMPORAL_TLS" in text


def test_the_api_needs_the_servers_secret() -> None:
    line = "hexavox: HEXAVOX_SERVER_SECRET is not set: it signs what the API hands out.\n"
    assert told("api", HEXAVOX_SERVER_SECRET="") == (2, line)


def test_a_worker_of_batches_without_a_server_secret_does_not_start() -> None:
    line = (
        "hexavox: HEXAVOX_SERVER_SECRET is not set: it signs the links in the e-mails of batches.\n"
    )
    assert told("worker", HEXAVOX_SERVER_SECRET="") == (2, line)


def test_the_simulator_runs_in_production_only_on_request() -> None:
    production = {"HEXAVOX_PROFILE": "production", "HEXAVOX_PUBLIC_URL": "http://api"}
    code, text = told("simulator", **production)
    assert (code, text.count("\n")) == (2, 1)
    assert "--in-production" in text
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, text = told("simulator", "--in-production", HEXAVOX_SIMULATOR_PORT=port, **production)
    assert (code, "is taken" in text) == (1, True)


def test_the_simulator_needs_no_database() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, text = told("simulator", DATABASE_URL="", HEXAVOX_SIMULATOR_PORT=port)
    assert (code, "is taken" in text) == (1, True)


@pytest.mark.parametrize(
    ("command", "variable"),
    [("simulator", "HEXAVOX_SIMULATOR_DATA_DIR"), ("dev", "HEXAVOX_DATA_DIR")],
)
def test_a_data_folder_that_cannot_be_is_named(tmp_path: Path, command: str, variable: str) -> None:
    (tmp_path / "file").touch()
    code, text = told(command, **{variable: str(tmp_path / "file/below")})
    assert (code, text.count("\n")) == (2, 1)
    assert text.startswith(f"hexavox: {variable} must be a folder")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HEXAVOX_API_PORT", "99999"),
        ("HEXAVOX_TEMPORAL_UI_PORT", "eighty"),
        ("HEXAVOX_REPORT_WAIT", "abc"),
        ("HEXAVOX_PUBLIC_URL", "http://api/v1"),
        ("HEXAVOX_SIMULATOR_TOKEN", "hidden"),
        ("HEXAVOX_SERVER_SECRET", "hidden"),
        ("DATABASE_URL", "mysql://user:hidden@host/name"),
        ("TEMPORAL_ADDRESS", "temporal"),
    ],
)
def test_nothing_is_started_with_a_setting_that_some_process_would_refuse(
    tmp_path: Path, variable: str, value: str
) -> None:
    folder = tmp_path / "data"
    code, text = told_here("dev", **{"HEXAVOX_DATA_DIR": str(folder), variable: value})
    assert (code, text.count("\n"), "hidden" in text) == (2, 1, False)
    assert text.startswith(f"hexavox: {variable} must be ")
    assert not folder.exists()
