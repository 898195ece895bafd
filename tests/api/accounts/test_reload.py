"""The providers file is read again on SIGHUP, by `hexavox api` as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from cli.dev.postgres import EmbeddedPostgres
from providers.twilio.signatures import SIGNATURE_HEADER, signature
from tests.api.raw_http import PATIENCE, Server, serving
from tests.contacts import CONTACT_KEY_FILE
from tests.providers_files import write_file
from tests.stack import ROOT, free_port, make_database
from tests.vendors.twilio_double import ACCOUNT
from tests.webhook_key import WEBHOOK_KEY_FILE

TEXT = {"AccountSid": ACCOUNT, "MessageSid": "SM" + "0d" * 16, "To": "+12135550123"}
TEXT |= {"From": "+12135550124", "Body": "x"}
pytestmark = pytest.mark.xdist_group("reload")  # its tests share a process

UNKNOWN_ACCOUNT, FORGED = 404, 403
UNKNOWN_NUMBER = 404
"""Of a text that is signed: the number is nobody's."""

_numbers = count()


class Installation:
    """The API, its providers file and the secrets beside it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.server: Server
        self.one, self.two = "one", "two"

    def begin_anew(self) -> None:
        """Take two other accounts, because one that is taken out is kept for a while."""
        number = next(_numbers)
        self.one, self.two = f"one-{number}", f"two-{number}"
        self.secret(self.one, "secret-of-one")
        self.secret(self.two, "secret-of-two")

    def account(self, name: str, *lines: str) -> str:
        """Return the table of an account whose secret is in the file of its name."""
        return "\n".join(
            [
                f'[[account]]\nname = "{name}"\nvendor = "twilio"\naccount_sid = "{ACCOUNT}"',
                f'auth_token = {{ file = "{name}.secret" }}',
                *lines,
            ]
        )

    def secret(self, name: str, secret: str) -> None:
        (self.folder / f"{name}.secret").write_text(f"{secret}\n")

    def write(self, *tables: str) -> Path:
        return write_file(self.folder, *tables)

    def read_again(self, *tables: str, event: str = "the providers file was read") -> Any:
        """Write the file, send SIGHUP, and return what was logged about it."""
        seen = len(self.events(event))
        self.write(*tables)
        self.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.events(event)) > seen)
        return self.events(event)[-1]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.server.logged() if line["message"] == event]

    def texts(self, account: str, secret: str) -> int:
        """Post a text that a secret has signed; return the status."""
        signed_url = f"https://sms.gym.test/webhooks/{account}/inbound"
        signed = signature(secret, signed_url, {name: [word] for name, word in TEXT.items()})
        answer = httpx.post(
            f"http://127.0.0.1:{self.server.port}/webhooks/{account}/inbound",
            content=urlencode(TEXT),
            headers={SIGNATURE_HEADER: signed},
            timeout=PATIENCE,
            trust_env=False,
        )
        return answer.status_code


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def running(database_url: str, folder: Path) -> Iterator[Installation]:
    """Run an API with the account `one`."""
    made = Installation(database_url, folder)
    made.begin_anew()
    path = made.write(made.account(made.one))
    with serving(database_url, folder, providers_file=str(path)) as server:
        made.server = server
        yield made


@pytest.fixture(scope="module")
def shared(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One API for all tests that leave nothing to be read."""
    with running(database_url, tmp_path_factory.mktemp("reload")) as made:
        yield made


@pytest.fixture
def installation(shared: Installation) -> Installation:
    """The API with an account `one` that no other test has."""
    shared.begin_anew()
    shared.read_again(shared.account(shared.one))
    return shared


def test_an_added_account_gets_its_webhooks(installation: Installation) -> None:
    one, two = installation.one, installation.two
    assert installation.texts(two, "forged") == UNKNOWN_ACCOUNT
    told = installation.read_again(installation.account(one), installation.account(two))
    assert (told["added"], told["changed"], told["retired"]) == ([two], [], [])
    assert installation.texts(two, "secret-of-one") == FORGED
    assert installation.texts(two, "secret-of-two") == UNKNOWN_NUMBER


def test_a_secret_that_was_changed_is_read_again(installation: Installation) -> None:
    one = installation.one
    installation.secret(one, "new-secret-of-one")
    told = installation.read_again(installation.account(one))
    assert told["changed"] == [one]
    assert installation.texts(one, "secret-of-one") == FORGED
    assert installation.texts(one, "new-secret-of-one") == UNKNOWN_NUMBER
    installation.secret(installation.two, "secret-of-one")
    previous = f'previous_auth_token = {{ file = "{installation.two}.secret" }}'
    installation.read_again(installation.account(one, previous))
    assert installation.texts(one, "secret-of-one") == UNKNOWN_NUMBER


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ('label = "hidden from all eyes"', "account {} label: must match ^[A-Za-z0-9-]{{1,16}}$"),
        ("numbers = [", "is not TOML"),
        (
            'previous_auth_token = { file = "nowhere" }',
            "account {} previous_auth_token: there is no secret in the file that this key names",
        ),
    ],
)
def test_a_file_with_mistakes_changes_nothing(
    installation: Installation, line: str, mistake: str
) -> None:
    one, two = installation.one, installation.two
    told = installation.read_again(
        installation.account(one, line),
        event="the providers file has mistakes; the accounts are unchanged",
    )
    assert (told["level"], len(told["mistakes"])) == ("ERROR", 1)
    assert mistake.format(one) in told["mistakes"][0]
    assert "hidden" not in installation.server.log.read_text()
    assert installation.texts(one, "secret-of-one") == UNKNOWN_NUMBER
    installation.read_again(installation.account(one), installation.account(two))
    assert installation.texts(two, "secret-of-two") == UNKNOWN_NUMBER


def test_many_signals_are_few_readings(database_url: str, tmp_path: Path) -> None:
    with running(database_url, tmp_path) as installation:
        one, two = installation.one, installation.two
        for _ in range(200):
            os.kill(installation.server.process.pid, signal.SIGHUP)
        told = installation.read_again(installation.account(one), installation.account(two))
        assert told["added"] in ([], [two])
        wait_until(lambda: installation.texts(two, "secret-of-two") == UNKNOWN_NUMBER)
        assert installation.server.process.poll() is None


def test_no_secret_is_logged(installation: Installation) -> None:
    one, two = installation.one, installation.two
    installation.read_again(installation.account(one), installation.account(two))
    for account, secret in ((one, "secret-of-one"), (two, "secret-of-two")):
        assert installation.texts(account, secret) == UNKNOWN_NUMBER
        assert installation.texts(account, "forged") == FORGED
    assert "secret-of" not in installation.server.log.read_text()


@pytest.mark.parametrize("process", ["api", "worker"])
def test_no_process_starts_with_a_file_that_has_mistakes(
    postgres: EmbeddedPostgres, tmp_path: Path, process: str
) -> None:
    made = Installation(make_database(postgres, f"mistakes_{process}"), tmp_path)
    made.secret("one", "secret-of-one")
    path = made.write(made.account("one", 'label = "hidden from all eyes"'))
    env = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": made.url,
        "HEXAVOX_PROFILE": "demo",
        "HEXAVOX_SERVER_SECRET": "only-for-tests-too",
        "HEXAVOX_CONTACT_KEY_FILE": str(CONTACT_KEY_FILE),
        "HEXAVOX_WEBHOOK_KEY_FILE": str(WEBHOOK_KEY_FILE),
        "HEXAVOX_PROVIDERS_FILE": str(path),
        "HEXAVOX_API_PORT": str(free_port()),
    }
    argv = [sys.executable, "-m", "cli", process]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "hexavox: HEXAVOX_PROVIDERS_FILE: account one label: must match ^[A-Za-z0-9-]{1,16}$"
    ]
    assert json.dumps(done.stdout.decode()).count("hidden") == 0
