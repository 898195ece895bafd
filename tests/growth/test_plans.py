"""Plans are read from the log of Postgres, and what reads too much is found in them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from cli.dev.postgres import EmbeddedPostgres
from models.queries.messages import acceptance
from models.rules.messages.identity import SendKey
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import make_message, make_owner, new_message, unique
from tests.growth.plans import Executed, Scan, log_plans_of, recorded
from tests.stack import async_url, make_database


@pytest.fixture(scope="module")
def own_url(postgres: EmbeddedPostgres) -> str:
    """A database whose sessions can write their plans."""
    url = make_database(postgres, unique("plans").replace("-", "_"))
    log_plans_of(url)
    return url


@pytest.fixture
async def alone(own_url: str) -> AsyncIterator[Database]:
    database = Database(async_url(own_url), pool_size=2, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


async def test_a_statement_is_recorded_with_what_its_foreign_keys_and_triggers_execute(
    alone: Database, postgres: EmbeddedPostgres, own_url: str
) -> None:
    owner = await make_owner(alone)
    with recorded(own_url, postgres.log) as recording:
        await make_message(alone, new_message(owner))
    names = recording.names()
    assert {"messages.acceptance._ACCEPT", "foreign key: tenant", "foreign key: merchant"} <= names
    assert any("FROM webhook_endpoint" in name for name in names)
    [accepted] = [each for each in recording.executed if each.name == "messages.acceptance._ACCEPT"]
    assert accepted.buffers > 10
    assert "ModifyTable message" in accepted.shape


async def test_nothing_is_recorded_after_the_end(
    alone: Database, postgres: EmbeddedPostgres, own_url: str
) -> None:
    owner = await make_owner(alone)
    with recorded(own_url, postgres.log) as recording:
        pass
    await make_message(alone, new_message(owner))
    with recorded(own_url, postgres.log) as second:
        pass
    assert [recording.executed, second.executed] == [[], []]


async def test_a_scan_of_a_whole_table_is_found(
    alone: Database, postgres: EmbeddedPostgres, own_url: str
) -> None:
    owner = await make_owner(alone)
    for _ in range(3):
        await make_message(alone, new_message(owner))
    with recorded(own_url, postgres.log) as recording:
        async with alone.read() as db:
            await db.execute(text("SELECT count(*) FROM message WHERE body <> 'Hello'"))
    [read] = recording.executed
    assert read.name == "SELECT count(*) FROM message WHERE body <> 'Hello'"
    [scan] = read.scans
    assert (scan.whole, scan.table, scan.rows >= 3) == (True, "message", True)
    found = read.problems(rows=2, buffers=1000)
    assert found == [f"{read.name} reads {scan.rows} rows of message, by Seq Scan"]
    assert read.problems(rows=1000, buffers=1000) == []


async def test_a_look_up_by_key_reads_one_row(
    alone: Database, postgres: EmbeddedPostgres, own_url: str
) -> None:
    owner = await make_owner(alone)
    now = datetime.now(UTC)
    await make_message(alone, new_message(owner, key="k", accepted_at=now))
    key = SendKey(tenant_id=owner.tenant_id, operation="send-sms", scope="", idempotency_key="k")
    with recorded(own_url, postgres.log) as recording:
        async with alone.read() as db:
            assert await acceptance.find_known(db, key) is not None
    [read] = recording.executed
    assert read.name == "messages.acceptance._KNOWN"
    assert [scan.rows for scan in read.scans if scan.table == "message"] == [1]


@pytest.mark.parametrize(
    ("executed", "problems"),
    [
        (Executed("s", "", 10, (Scan("Index Scan", "message", 10),)), []),
        (
            Executed("s", "", 10, (Scan("Index Scan", "message", 11),)),
            ["s reads 11 rows of message, by Index Scan"],
        ),
        (Executed("s", "", 11, ()), ["s reads 11 buffers"]),
    ],
)
def test_what_exceeds_a_bound_is_a_problem(executed: Executed, problems: list[str]) -> None:
    assert executed.problems(rows=10, buffers=10) == problems
