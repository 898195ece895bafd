"""Every statement of a send reads by an index, and no more where the tables have many rows."""

import asyncio
from typing import Final

import psycopg

from cli.dev.postgres import EmbeddedPostgres
from tests.e2e.harness import Harness, Integrator
from tests.growth.plans import recorded
from tests.growth.rows import open_filler
from tests.growth.sends import Sender

MESSAGES: Final = 10_000
WAITING: Final = 300
ROWS: Final = 500
"""That one statement may read of one table; the tenant has 4,000 of the messages."""
BUFFERS: Final = 1_000

SMALL: Final = frozenset(
    {"provider_account", "account_circuit", "account_health", "load_sample", "contact_key"}
)
"""Tables of the installation: their size does not follow from the number of messages."""

SENDS: Final = frozenset(
    {
        "consent.send_policy.POLICY",
        "messages.acceptance._ACCEPT",
        "messages.acceptance._METER",
        "messages.acceptance._FURTHER",
        "messages.acceptance._PAIRS",
        "messages.dispatch._LOCK",
        "messages.dispatch._READ",
        "messages.dispatch._CLAIM",
        "messages.conclude._CONCLUDE",
        "messages.receipts._STORE",
        "messages.settlement_facts._LOCK",
        "messages.settlement_facts._FACTS",
        "messages.settlement._END",
        "system.sweep_messages._SWEEP",
        "system.sweep_messages._SWEEP_UNSTARTED",
        "messages.receipts._OPEN",
        "system.load._WAITING",
        "foreign key: message",
    }
)
"""Some that must be among those that were recorded."""


async def test_no_statement_of_a_send_reads_more_in_large_tables(
    harness: Harness, integrator: Integrator, postgres: EmbeddedPostgres
) -> None:
    url = harness.stack.database_url
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:
        filler = await open_filler(db, integrator.owner)
        await filler.add(1, MESSAGES)
        await filler.add_waiting(WAITING)
        try:
            sender = Sender(harness.http, harness.stack.api_url, integrator.owner)
            with recorded(url, postgres.log) as recording:
                for _ in range(2):
                    await sender.send_each_kind()
                await asyncio.sleep(2)  # the sweeper and the watcher look several times
        finally:  # the watcher of the shared stack visits every merchant
            await filler.remove_tenants()
    assert recording.names() >= SENDS
    problems = {
        problem
        for each in recording.executed
        for problem in each.problems(small=SMALL, rows=ROWS, buffers=BUFFERS)
    }
    assert problems == set()
