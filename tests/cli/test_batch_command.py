"""`hexavox batch`: the progress of a tenant's batches."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from cli.dev.postgres import EmbeddedPostgres
from cli.main import app
from models.enums import Channel, MessageStatus
from models.queries.messages.batches.store import NewBatch, NewLine, insert_batch, insert_lines
from models.session import Database
from tests.api.integrator import make_message
from tests.contacts import CONTACT_KEYS
from tests.factories import make_owner
from tests.shown_ids import shown
from tests.stack import async_url, make_database

AT = datetime(2026, 4, 16, 13, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> str:
    """A database of its own: the command finds tenants by name."""
    return async_url(make_database(postgres, "batches"))


@dataclass(frozen=True)
class Run:
    """The command line for a tenant with one batch of four lines."""

    url: str
    tenant: str
    batch: str
    merchant: str

    def __call__(self, *words: str, tenant: str = "") -> Result:
        words = ("batch", *words, "--tenant", tenant or self.tenant)
        return CliRunner().invoke(app, words, env={"DATABASE_URL": self.url})


async def _store(url: str) -> Run:
    """Store a batch: one line is undecided, one refused, two are messages."""
    database = Database(url, pool_size=1, contact_keys=CONTACT_KEYS)
    owner = await make_owner(database)
    new = NewBatch(
        tenant_id=owner.tenant_id,
        merchant_id=owner.merchant_id,
        channel=Channel.SMS,
        scope="",
        idempotency_key=None,
        fingerprint="0" * 64,
        key_base=None,
        total=4,
        created_at=AT,
        sweep_at=AT,
    )
    async with database.transaction() as db:
        batch_id = await insert_batch(db, new)
        await insert_lines(
            db,
            tenant_id=owner.tenant_id,
            batch_id=batch_id,
            before=0,
            lines=[NewLine("{}", None)] * 4,
        )
        await db.execute(
            text("UPDATE batch SET accepted = 2, refused = 1, next_line = 4 WHERE id = :b"),
            {"b": batch_id},
        )
    for status, completed_at in ((MessageStatus.SENT, None), (MessageStatus.DELIVERED, AT)):
        await make_message(
            database,
            owner.tenant_id,
            owner.merchant_id,
            batch_id=batch_id,
            status=status,
            completed_at=completed_at,
        )
    public_id = await shown(database, "batch", batch_id)
    await database.close()
    return Run(url, owner.tenant, str(public_id), owner.merchant)


@pytest.fixture
def run(url: str) -> Run:
    return asyncio.run(_store(url))


def test_batches_are_listed_with_their_lines(run: Run) -> None:
    [line] = run("list").output.splitlines()
    head = [run.batch, "ACCEPTING", run.merchant, "SMS", "2026-04-16T13:20:00+00:00"]
    assert line.split("\t") == [*head, "4", "2", "1", "1"]


def test_the_progress_of_one_batch_is_shown(run: Run) -> None:
    first, *lines = run("show", run.batch).output.splitlines()
    assert first.startswith(f"{run.batch}\tACCEPTING\t")
    assert lines == [
        "lines\t4",
        "undecided\t1",
        "refused\t1",
        "accepted\t2",
        "SENT\t1",
        "DELIVERED\t1",
        "open messages\t1",
    ]


@pytest.mark.parametrize("batch", ["1", "x", "", "9" * 30])
def test_an_unknown_batch_is_a_mistake(run: Run, batch: str) -> None:
    told = run("show", batch)
    assert told.exit_code == 2
    assert "has no batch" in told.output


def test_another_tenants_batch_is_unknown(run: Run, url: str) -> None:
    other = asyncio.run(_store(url))
    assert run("show", run.batch, tenant=other.tenant).exit_code == 2
    assert run.batch not in run("list", tenant=other.tenant).output
