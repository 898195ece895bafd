"""Accounts that were taken out of the file are kept until none of their messages is open."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api.services.accounts.reload import AccountReload
from cli.dev.postgres import EmbeddedPostgres
from models.configuration.accounts import Configuration, read_configuration
from models.enums import AttemptState
from models.session import Database
from models.settings import Settings
from providers.vendors import Providers, open_providers
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner, unique
from tests.providers_files import write_file
from tests.stack import async_url, make_database
from tests.vendors.twilio_double import ACCOUNT

SECRETS = {"TOKEN": "secret-of-all"}


@pytest.fixture
async def alone(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A database of its own: open attempts are counted over all tenants."""
    url = make_database(postgres, unique("accounts").replace("-", "_"))
    database = Database(async_url(url), pool_size=5, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


class Watched:
    """Accounts that are looked after in a task."""

    def __init__(
        self, database: Database, folder: Path, kept_for: timedelta = timedelta(0)
    ) -> None:
        settings = Settings(database_url=SecretStr("postgresql://x"))
        self.providers: Providers = open_providers(
            settings, httpx.AsyncClient(), lambda: datetime.now(UTC)
        )
        self.changes = 0
        self._folder = folder
        self._reload = AccountReload(
            database,
            self.providers.accounts,
            self._read,
            changed=self._count,
            look_every=timedelta(milliseconds=50),
            kept_for=kept_for,
        )

    @property
    def names(self) -> set[str]:
        return set(self.providers.verifiers.inbound_texts)

    @asynccontextmanager
    async def running(self, *names: str) -> AsyncIterator[None]:
        self.write(*names)
        await self.providers.accounts.replace(self._read())
        task = asyncio.create_task(self._reload.run())
        yield
        task.cancel()

    async def read_again(self, *names: str) -> None:
        self.write(*names)
        before = self.changes
        self._reload.request()
        await until(lambda: self.changes > before)

    def write(self, *names: str) -> None:
        write_file(
            self._folder,
            *(
                f'[[account]]\nname = "{name}"\nvendor = "twilio"\naccount_sid = "{ACCOUNT}"\n'
                f'auth_token = {{ env = "TOKEN" }}\ntenants = ["nobody-knows"]'
                for name in names
            ),
        )

    def _read(self) -> Configuration:
        return read_configuration(self._folder / "providers.toml", SECRETS)

    def _count(self) -> None:
        self.changes += 1


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - it polls what another task does
            await asyncio.sleep(0.02)


async def leave_open(database: Database, account: str) -> int:
    """Leave an attempt without an outcome; return the message's id."""
    harness = Harness(database, await make_owner(database), Scripted())
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=timedelta(0), provider=account)
    return message_id


async def end(database: Database, message_id: int) -> None:
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE message SET completed_at = now(), status = 'UNKNOWN' WHERE id = :id"),
            {"id": message_id},
        )


async def set_state(database: Database, message_id: int, state: AttemptState) -> None:
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE attempt SET state = :state WHERE message_id = :id"),
            {"state": state, "id": message_id},
        )


@pytest.mark.parametrize(
    "state", [AttemptState.REQUESTED, AttemptState.AMBIGUOUS, AttemptState.ACCEPTED]
)
async def test_an_account_is_kept_until_its_last_message_ends(
    alone: Database, tmp_path: Path, state: AttemptState
) -> None:
    watched = Watched(alone, tmp_path)
    async with watched.running("one", "two", "three"):
        message_id = await leave_open(alone, "one")
        await set_state(alone, message_id, state)
        await watched.read_again("three")
        await until(lambda: watched.names == {"one", "three"})
        await asyncio.sleep(0.3)  # several looks
        assert watched.names == {"one", "three"}
        assert watched.providers.vendors.routes.find("one") is not None
        await end(alone, message_id)
        await until(lambda: watched.names == {"three"})


async def test_a_refused_attempt_keeps_no_account(alone: Database, tmp_path: Path) -> None:
    watched = Watched(alone, tmp_path)
    async with watched.running("one", "two"):
        await set_state(alone, await leave_open(alone, "one"), AttemptState.REFUSED)
        await watched.read_again("two")
        await until(lambda: watched.names == {"two"})


async def test_an_account_is_kept_while_another_worker_may_still_use_it(
    alone: Database, tmp_path: Path
) -> None:
    watched = Watched(alone, tmp_path, kept_for=timedelta(seconds=2))
    async with watched.running("one", "two"):
        await watched.read_again("two")
        await asyncio.sleep(0.5)  # several looks
        assert watched.names == {"one", "two"}
        await until(lambda: watched.names == {"two"})


async def test_open_attempts_of_unknown_accounts_are_warned_of_at_the_start(
    alone: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for account in ("gone", "simulator", "one"):
        await leave_open(alone, account)
    watched = Watched(alone, tmp_path)
    with caplog.at_level(logging.WARNING):
        async with watched.running("one"):
            await until(lambda: len(caplog.records) >= 2)
    told = {record.msg.split(",")[0]: record.__dict__ for record in caplog.records}
    missing = told["messages are open at accounts that the providers file does not have"]
    assert missing["accounts"] == ["gone"]
    assert told["the providers file names unknown tenants"]["tenants"] == ["nobody-knows"]
    assert "secret-of-all" not in caplog.text


async def test_the_file_is_read_again_without_a_database(
    alone: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = Database(
        "postgresql+psycopg://nobody@127.0.0.1:1/nothing", pool_size=1, contact_keys=CONTACT_KEYS
    )
    watched = Watched(nowhere, tmp_path)
    async with watched.running("one"):
        await watched.read_again("two")
        assert watched.names == {"one", "two"}
        await until(lambda: "could not be compared" in caplog.text)
        assert watched.names == {"one", "two"}
    await nowhere.close()
