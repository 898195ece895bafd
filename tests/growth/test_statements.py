"""No statement of a send reads more rows because its tables have more."""

from typing import Final

import psycopg
import pytest

from cli.dev.postgres import EmbeddedPostgres
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import load_sample, make_owner, unique
from tests.growth.plans import Recording, log_plans_of, recorded
from tests.growth.rows import open_filler
from tests.growth.steps import Steps
from tests.stack import async_url, make_database

MESSAGES: Final = 10_000
WAITING: Final = 300
RUNS: Final = 7
"""From the sixth execution on, Postgres may use one plan of a prepared statement for all values."""
ROWS: Final = 400
"""That one scan may read; the tenant has 4,000 messages and 1,300 consents. The rate card of all
countries has 350 lines, and a table that is so small is read from end to end.
"""
BUFFERS: Final = 1_000

OVER_ALL_TENANTS: Final = {"system.load._OPEN"}
"""It counts the open messages of every tenant, once in ten seconds at most."""

EXECUTED: Final = frozenset(
    {
        "consent.send_policy.POLICY",
        "consent.send_policy._CONTACTS",
        "messages.acceptance._KNOWN",
        "messages.acceptance._ACCEPT",
        "messages.acceptance._PAIRS",
        "messages.dispatch._LOCK",
        "messages.dispatch._READ",
        "messages.dispatch._CLAIM",
        "messages.conclude._CONCLUDE",
        "messages.receipts._STORE",
        "messages.receipts._ASKABLE",
        "messages.settlement_facts._LOCK",
        "messages.settlement_facts._FACTS",
        "messages.settlement._END",
        "messages.batches.pages._LINES",
        "messages.batches.acceptance._INSERT",
        "messages.batches.decisions._DECIDE",
        "messages.batches.chunk_claims._LOCK",
        "messages.batches.chunk_claims._READ",
        "messages.batches.chunk_claims._CLAIM",
        "messages.batches.chunk_conclusions._CONCLUDE",
        "messages.batches.chunk_members._OPEN",
        "messages.batches.chunk_settlement._END",
        "system.sweep_messages._SWEEP",
        "system.sweep_messages._SWEEP_UNSTARTED",
        "system.sweep_batches._SWEEP",
        "system.sweep_chunks._SWEEP",
        "messages.receipts._OPEN",
        "system.load._WAITING",
        "foreign key: message",
    }
)


@pytest.fixture(scope="module")
async def recording(postgres: EmbeddedPostgres) -> Recording:
    """What the steps of sends execute, in a filled database of its own."""
    url = make_database(postgres, unique("growth").replace("-", "_"))
    log_plans_of(url)
    database = Database(async_url(url), pool_size=2, contact_keys=CONTACT_KEYS)
    try:
        owner = await make_owner(database)
        await load_sample(database)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:
            filler = await open_filler(db, owner)
            await filler.add(1, MESSAGES)
            await filler.add_waiting(WAITING)
        steps = Steps(database, owner)
        with recorded(url, postgres.log) as executed:
            for _ in range(RUNS):
                await steps.run()
    finally:
        await database.close()
    return executed


def test_the_steps_execute_the_statements_of_a_send(recording: Recording) -> None:
    assert recording.names() >= EXECUTED


def test_no_statement_reads_many_rows_of_large_tables(recording: Recording) -> None:
    problems = {
        problem
        for each in recording.executed
        if each.name not in OVER_ALL_TENANTS
        for problem in each.problems(rows=ROWS, buffers=BUFFERS)
    }
    assert problems == set()
