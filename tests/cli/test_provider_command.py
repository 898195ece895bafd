"""`hexavox provider` and `hexavox address`, against an HTTP server and a mail server."""

import asyncio
import json
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from sqlalchemy import text
from typer.testing import CliRunner, Result

from cli.dev.postgres import EmbeddedPostgres
from cli.main import app
from models.enums import AttemptState
from models.session import Database
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner
from tests.providers_files import write_file
from tests.stack import async_url, free_port, make_database
from tests.vendors.twilio_double import ACCOUNT

Found = TypeVar("Found")
PASSWORD = "pass-of-relay"
TOKEN = "token-of-twilio"


class Relay:
    """A mail server that requires a login, and keeps what it takes."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 2.0.0 Ok: queued"

    def login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        right = (data.login, data.password) == (b"us", PASSWORD.encode())
        return AuthResult(success=right, handled=False)


class Api(BaseHTTPRequestHandler):
    """Twilio's account, and its messages."""

    posted: ClassVar[list[bytes]] = []

    def do_GET(self) -> None:
        known = self.path == f"/2010-04-01/Accounts/{ACCOUNT}.json" and self._is_signed_in()
        self._answer(200, {"status": "active"}) if known else self._answer(401, {"code": 20003})

    def do_POST(self) -> None:
        self.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(201, {"sid": "SM" + "0" * 32, "status": "queued"})

    def log_message(self, format: str, *args: object) -> None:
        """Keep the output of the tests clean."""

    def _is_signed_in(self) -> bool:
        from base64 import b64decode

        word = self.headers.get("Authorization", "").removeprefix("Basic ")
        return b64decode(word) == f"{ACCOUNT}:{TOKEN}".encode()

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> str:
    """A database of its own: accounts belong to the installation."""
    return async_url(make_database(postgres, "provider_command"))


@pytest.fixture
def relay() -> Iterator[tuple[Relay, int]]:
    kept, port = Relay(), free_port()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # aiosmtpd warns of AUTH without TLS
        server = Controller(
            kept,
            hostname="127.0.0.1",
            port=port,
            auth_required=True,
            auth_require_tls=False,
            authenticator=kept.login,
        )
        server.start()
        yield kept, port
        server.stop()


@pytest.fixture
def api() -> Iterator[str]:
    Api.posted.clear()
    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Run:
    """The command line with a providers file."""

    def __init__(self, url: str, folder: Path, relay_port: int, api: str) -> None:
        self._url = url
        self.environ = {
            "DATABASE_URL": url,
            "HEXAVOX_PUBLIC_URL": "https://api.test",
            "PASSWORD": PASSWORD,
            "TOKEN": TOKEN,
            "HEXAVOX_PROVIDERS_FILE": str(
                write_file(
                    folder,
                    f"""
                    [[account]]
                    name = "relay"
                    vendor = "smtp"
                    host = "127.0.0.1"
                    port = {relay_port}
                    security = "plain"
                    domains = ["example.com"]
                    username = "us"
                    password = {{ env = "PASSWORD" }}
                    tenants = ["acme"]

                    [[account]]
                    name = "twilio-us"
                    vendor = "twilio"
                    account_sid = "{ACCOUNT}"
                    auth_token = {{ env = "TOKEN" }}
                    api_url = "{api}"
                    numbers = ["+12015550123"]

                    [[account]]
                    name = "old"
                    vendor = "twilio"
                    account_sid = "{ACCOUNT}"
                    auth_token = {{ env = "NOT_SET_HERE" }}
                    retired = true
                    """,
                )
            ),
        }

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(app, words, env=self.environ)

    def json(self, *words: str, code: int = 0) -> Any:
        result = self("provider", *words, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.output)

    def lines(self) -> dict[str, dict[str, Any]]:
        return {line["name"]: line for line in self.json("list")}

    def on_database(self, work: Callable[[Database], Coroutine[Any, Any, Found]]) -> Found:
        """Run an action on the database, in an event loop of its own."""

        async def run() -> Found:
            database = Database(self._url, pool_size=2, contact_keys=CONTACT_KEYS)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(run())


@pytest.fixture
def run(url: str, tmp_path: Path, relay: tuple[Relay, int], api: str) -> Run:
    return Run(url, tmp_path, relay[1], api)


def test_the_list_shows_the_accounts_of_the_file(run: Run) -> None:
    lines = run.lines()
    assert list(lines) == ["simulator", "relay", "twilio-us", "old"]
    assert lines["twilio-us"] == {
        "name": "twilio-us",
        "vendor": "twilio",
        "state": "enabled",
        "tenants": None,
        "senders": ["+12015550123"],
        "circuit": {"state": "CLOSED", "reason": None, "since": None, "probeFrom": None},
        "lastMinute": {"attempts": 0, "failures": 0, "slow": 0, "meanMs": None},
        "spending": {"limitUsd": None, "bookedUsd": "0.00", "reservedUsd": "0.00"},
        "openAttempts": 0,
        "lastError": None,
        "lastErrorAt": None,
    }
    assert (lines["relay"]["tenants"], lines["relay"]["senders"]) == (["acme"], ["example.com"])
    assert (lines["old"]["state"], lines["simulator"]["state"]) == ("retired", "enabled")
    shown = run("provider", "list").output.splitlines()
    assert shown[1].split("\t") == [
        *("relay", "smtp", "enabled", "acme", "circuit CLOSED", "0 attempts, 0 failed"),
        *("0.00 + 0.00 USD today, no limit", "0 open", "-"),
    ]


def test_the_list_shows_open_attempts_also_of_accounts_that_were_taken_out(run: Run) -> None:
    async def leave_open(database: Database) -> None:
        harness = Harness(database, await make_owner(database), Scripted(name="gone"))
        for _ in range(2):
            await harness.crash(await harness.accept(), deadline_in=timedelta(0), provider="gone")
        async with database.transaction() as db:
            await db.execute(
                text(
                    "INSERT INTO account_circuit (account, version, openings, reason, opened_at,"
                    " open_until, last_error, last_error_at) VALUES ('relay', 1, 1, 'FAILURES',"
                    " now(), now() + interval '10 minutes', '535 AUTH', now())"
                )
            )

    run.on_database(leave_open)
    lines = run.lines()
    assert (lines["gone"]["state"], lines["gone"]["openAttempts"]) == ("not in the file", 2)
    circuit = lines["relay"]["circuit"]
    assert (circuit["state"], circuit["reason"]) == ("OPEN", "FAILURES")
    assert lines["relay"]["lastError"] == "535 AUTH"

    async def end(database: Database) -> None:
        async with database.transaction() as db:
            await db.execute(text("UPDATE attempt SET state = :s"), {"s": AttemptState.ABSENT})
            await db.execute(text("DELETE FROM account_circuit"))

    run.on_database(end)
    assert "gone" not in run.lines()


def test_an_account_is_switched_off_and_on(run: Run) -> None:
    assert run.json("disable", "relay") == {"name": "relay", "enabled": False}
    assert run.lines()["relay"]["state"] == "disabled"
    assert run("provider", "enable", "relay").output == "relay is enabled.\n"
    assert run.lines()["relay"]["state"] == "enabled"


def test_spending_is_limited_by_day_and_survives_the_switch(run: Run) -> None:
    assert run.json("limit", "relay", "--usd-per-day", "50.5")["dailyLimitUsd"] == "50.50"
    run.json("disable", "relay")
    run.json("enable", "relay")
    assert run.lines()["relay"]["spending"]["limitUsd"] == "50.50"
    assert run("provider", "limit", "relay", "--none").output == "relay has no limit.\n"
    assert run.lines()["relay"]["spending"]["limitUsd"] is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("enable", "rely"), "Did you mean relay?"),
        (("disable", "simulator"), "built in"),
        (("limit", "relay"), "either --usd-per-day or --none"),
        (("limit", "relay", "--none", "--usd-per-day", "1"), "either --usd-per-day or --none"),
        (("limit", "relay", "--usd-per-day", "-1"), "lies between 0"),
        (("limit", "relay", "--usd-per-day", "0.001"), "whole cents"),
        (("limit", "relay", "--usd-per-day", "nan"), "lies between 0"),
        (("limit", "nobody", "--none"), "There is no account nobody"),
        (("test", "relay", "--send", "a@example.com"), "given together"),
        (("test", "nobody"), "There is no account nobody"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_done(run: Run, words: tuple[str, ...], told: str) -> None:
    before = run.json("list")
    result = run("provider", *words)
    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("│", " ").split())
    assert run.json("list") == before


def test_credentials_are_checked_without_sending(run: Run, relay: tuple[Relay, int]) -> None:
    for name in ("relay", "twilio-us"):
        assert run.json("test", name) == {"name": name, "valid": True, "reason": None}
    assert run("provider", "test", "relay").output == "relay works: its credentials are accepted.\n"
    assert (relay[0].envelopes, Api.posted) == ([], [])


def test_wrong_credentials_end_with_an_exit_code_and_are_not_shown(run: Run) -> None:
    run.environ |= {"PASSWORD": "wrong-password", "TOKEN": "wrong-token"}
    told = run.json("test", "relay", code=1)
    assert (told["valid"], told["reason"]) == (False, "AUTH refused 535 5.7.8")
    assert run.json("test", "twilio-us", code=1)["reason"] == "401 20003"
    assert "wrong" not in run("provider", "test", "relay").output


def test_a_secret_that_is_missing_is_named(run: Run) -> None:
    result = run("provider", "test", "old")
    assert result.exit_code == 2
    assert "account old auth_token: there is no secret in variable NOT_SET_HERE" in result.output


def test_a_message_is_sent_only_on_request(run: Run, relay: tuple[Relay, int]) -> None:
    sent = ("--send", "you@example.net", "--from", "us@example.com")
    told = run.json("test", "relay", *sent)
    assert told["valid"]
    assert told["answer"].startswith("accepted as hx-test-")
    [envelope] = relay[0].envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("us@example.com", ["you@example.net"])
    assert b"HexaVox test" in (envelope.content or b"")
    assert run.json("test", "relay", *sent[:3], "us@elsewhere.com", code=1)["answer"] == (
        "not processed: not a sender domain of the account"
    )
    text_sent = ("--send", "+12015550124", "--from", "+12015550123")
    assert run.json("test", "twilio-us", *text_sent)["answer"] == "accepted as SM" + "0" * 32
    assert len(Api.posted) == 1


def test_without_a_file_only_the_simulator_is_there(run: Run) -> None:
    del run.environ["HEXAVOX_PROVIDERS_FILE"]
    assert list(run.lines()) == ["simulator"]


def test_addresses_are_added_listed_and_removed(run: Run) -> None:
    async def make(database: Database) -> str:
        owner = await make_owner(database)
        async with database.read() as db:
            named = text("SELECT name FROM tenant WHERE id = :id")
            return str(await db.scalar(named, {"id": owner.tenant_id}))

    tenant = run.on_database(make)

    def address(*words: str) -> Result:
        return run("address", *words, "--tenant", tenant)

    assert (
        address("add", "us@example.com").output
        == f"us@example.com is now an address of {tenant}.\n"
    )
    assert "was already" in address("add", "us@example.com").output
    assert "us@example.com" in address("list").output.splitlines()
    assert address("add", "us@nowhere").exit_code == 2
    assert address("remove", "us@example.com").exit_code == 0
    assert address("remove", "us@example.com").exit_code == 2
    assert "us@example.com" not in address("list").output.splitlines()
