"""Accounts of a providers file in a running system: mail through a relay, SIGHUP, and no secret."""

import asyncio
import json
import signal
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from sqlalchemy import text
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from cli.dev.postgres import EmbeddedPostgres
from cli.dev.temporal import EmbeddedTemporal
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.e2e.harness import until
from tests.factories import load_sample
from tests.providers_files import write_file
from tests.smtp.bounce_mails import block, notification
from tests.stack import ROOT, SHORT_WAITS, Stack, async_url, make_database
from tests.vendors.twilio_double import ACCOUNT
from workflows import names
from workflows.payloads import data_converter

pytestmark = pytest.mark.xdist_group("stack")

PLANTED = {
    "RELAY_PASSWORD": "planted-password-of-relay",
    "TWILIO_TOKEN": "planted-token-of-twilio",
}
FROM_FILE = "planted-bounce-secret-in-a-file"
SECRETS = [*PLANTED.values(), FROM_FILE]

TWILIO = f"""
[[account]]
name = "late"
vendor = "twilio"
account_sid = "{ACCOUNT}"
auth_token = {{ env = "TWILIO_TOKEN" }}
api_url = "http://127.0.0.1:1"
"""


def relay_table(port: int) -> str:
    return f"""
    [[account]]
    name = "relay"
    vendor = "smtp"
    host = "127.0.0.1"
    port = {port}
    security = "plain"
    username = "us"
    password = {{ env = "RELAY_PASSWORD" }}
    domains = ["gym.test"]
    bounce_address = "bounces@gym.test"
    bounce_secret = {{ file = "bounce.secret" }}
    """


@dataclass
class Relay:
    """A mail server that requires a login, and keeps what it takes."""

    envelopes: list[Envelope] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return "250 2.0.0 Ok: queued"

    def login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        expected = (b"us", PLANTED["RELAY_PASSWORD"].encode())
        return AuthResult(success=(data.login, data.password) == expected, handled=False)

    def _protocol(self) -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # aiosmtpd warns of AUTH without TLS
            return SMTP(
                self,
                hostname="relay.test",
                auth_required=True,
                auth_require_tls=False,
                authenticator=self.login,
            )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Relay"]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()


@dataclass
class World:
    """A stack with a providers file."""

    stack: Stack
    relay: Relay
    folder: Path
    database: Database
    http: httpx.AsyncClient
    temporal: Client
    temporal_log: Path

    async def hexavox(self, *words: str, stdin: str = "") -> str:
        """Run an operator's command; it must succeed."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "cli", *words],
            cwd=ROOT,
            env=self.stack.environment("worker"),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def hang_up(self) -> None:
        for process in ("api", "worker"):
            self.stack.processes[process].send_signal(signal.SIGHUP)

    async def pollers(self, queue: str) -> int:
        """Return how many workers ask a task queue for activities, or did lately."""
        described = await self.temporal.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self.temporal.namespace,
                task_queue=TaskQueue(name=queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            )
        )
        return len(described.pollers)

    async def rows(self) -> str:
        """Return every row of every table as text."""
        async with self.database.read() as db:
            tables = await db.scalars(
                text("SELECT table_name FROM information_schema.tables WHERE table_schema='public'")
            )
            found = [
                str(row)
                for table in tables.all()
                for row in await db.scalars(text(f'SELECT t::text FROM "{table}" t'))
            ]
        return "\n".join(found)

    async def histories(self) -> str:
        """Return every workflow's history, payloads included."""
        return "\n".join(
            [
                (await self.temporal.get_workflow_handle(run.id).fetch_history()).to_json()
                async for run in self.temporal.list_workflows()
            ]
        )

    def logs(self) -> str:
        """Return what all processes wrote."""
        processes = [self.stack.log(name) for name in ("api", "worker", "simulator")]
        return "\n".join([*processes, self.temporal_log.read_text(errors="replace")])


@pytest.fixture
def own_temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTemporal]:
    """A server of this stack alone: another stack's worker would take its messages' workflows."""
    folder = tmp_path_factory.mktemp("accounts-temporal")
    with EmbeddedTemporal(database=folder / "temporal.db") as server:
        yield server


@pytest.fixture
async def world(
    postgres: EmbeddedPostgres, own_temporal: EmbeddedTemporal, tmp_path: Path
) -> AsyncIterator[World]:
    url = make_database(postgres, "provider_accounts")
    database = Database(async_url(url), pool_size=5, contact_keys=CONTACT_KEYS)
    await load_sample(database)
    (tmp_path / "bounce.secret").write_text(FROM_FILE)
    async with Relay().serving() as relay, httpx.AsyncClient(timeout=20, trust_env=False) as http:
        path = write_file(tmp_path, relay_table(relay.port))
        waits = {**SHORT_WAITS, **PLANTED, "HEXAVOX_PROVIDERS_FILE": str(path)}
        with Stack(url, own_temporal.address, tmp_path, waits=waits) as stack:
            temporal = await Client.connect(own_temporal.address, data_converter=data_converter)
            yield World(stack, relay, tmp_path, database, http, temporal, own_temporal.log)
    await database.close()


async def send_mail(world: World, headers: dict[str, str]) -> dict[str, Any]:
    """Send a mail as a LIVE tenant; return the message once it has left."""
    api = f"{world.stack.api_url}/api/v1"
    merchant = {"merchantId": "gym-a", "displayName": "Gym A", "active": True, "emailLimit": 100}
    limits = {"smsLimit": 0, "voiceMinutesLimit": 0}
    made = await world.http.post(f"{api}/merchants", json=merchant | limits, headers=headers)
    assert made.is_success, made.text
    mail = {"to": "a@example.net", "subject": "Hi", "body": "<p>Hi</p>", "type": "TRANSACTIONAL"}
    consent = {"channel": "EMAIL", "contact": mail["to"], "status": "OPT_IN", "source": "test"}
    await world.http.post(
        f"{api}/consents", json={"merchantId": "gym-a"} | consent, headers=headers
    )
    sent = await world.http.post(
        f"{api}/messages/email", json={"merchantId": "gym-a"} | mail, headers=headers
    )
    assert sent.is_success, sent.text
    view: dict[str, Any] = {}

    async def left() -> bool:
        answer = await world.http.get(f"{api}/messages/{sent.json()['messageId']}", headers=headers)
        view.update(answer.json())
        return bool(view["status"] == "SENT")

    await until(left)
    return view


async def test_accounts_of_the_file_send_change_and_keep_their_secrets(world: World) -> None:
    await world.hexavox("tenant", "create", "gym", "--mode", "live")
    await world.hexavox("address", "add", "--tenant", "gym", "hello@gym.test")
    await world.hexavox("rates", "import", str(ROOT / "cli/samples/rates.csv"))
    key = json.loads(await world.hexavox("key", "create", "--tenant", "gym", "--json"))
    headers = {"X-API-KEY": key["apiKey"], "X-API-SECRET": key["apiSecret"]}

    view = await send_mail(world, headers)
    assert view["provider"] == "smtp"
    [envelope] = world.relay.envelopes
    assert envelope.rcpt_tos == ["a@example.net"]
    assert b"From: <hello@gym.test>" in (envelope.content or b"") or (
        b"From: hello@gym.test" in (envelope.content or b"")
    )

    assert envelope.mail_from is not None
    bounce = notification([block("a@example.net")], to=envelope.mail_from).decode()
    await world.hexavox("bounces", "relay", stdin=bounce)
    await until(lambda: _has_bounced(world, view["messageId"], headers))

    # A new account is served without a restart, and kept for a while after it was taken out.
    assert await world.pollers(names.provider_queue("relay")) > 0
    assert await world.pollers(names.provider_queue("late")) == 0
    write_file(world.folder, relay_table(world.relay.port), TWILIO)
    world.hang_up()
    await until(lambda: _is_served(world, "late"))
    listed = json.loads(await world.hexavox("provider", "list", "--json"))
    assert [line["name"] for line in listed] == ["simulator", "relay", "late"]
    write_file(world.folder, relay_table(world.relay.port))
    world.hang_up()
    await until(lambda: _has_logged(world, '"retired": ["late"]'))
    assert await _is_served(world, "late")

    found = {
        "logs": world.logs(),
        "rows": await world.rows(),
        "histories": await world.histories(),
    }
    assert [name for name, shown in found.items() if len(shown) < 1000] == []
    assert "relay" in found["rows"]
    assert [
        (name, secret) for name, shown in found.items() for secret in SECRETS if secret in shown
    ] == []


async def _has_bounced(world: World, message_id: str, headers: dict[str, str]) -> bool:
    url = f"{world.stack.api_url}/api/v1/messages/{message_id}"
    view = (await world.http.get(url, headers=headers)).json()
    return (view["status"], view["errorCode"]) == ("UNDELIVERED", "BAD_DESTINATION")


async def _is_served(world: World, account: str) -> bool:
    return await world.pollers(names.provider_queue(account)) > 0


async def _has_logged(world: World, event: str) -> bool:
    return all(event in world.stack.log(process) for process in ("api", "worker"))
