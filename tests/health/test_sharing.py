"""All workers share the health of accounts: exact counts, one circuit, outages of Postgres."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from activities.messages.account_health import AccountHealth
from activities.system.expired_records import ExpiredHealth
from models.rules.accounts.circuit import CircuitReason, CircuitState, Tally
from models.session import Database
from providers.ports.messages import NotProcessed
from tests.activities.doubles import ACCEPTED, AMBIGUOUS, NOT_PROCESSED, REFUSED, Scripted
from tests.health.workers import Account, available
from tests.proxy import Proxy
from tests.stack import async_url, free_port

SECOND = timedelta(seconds=1)


@pytest.fixture
def account(database: Database) -> Account:
    return Account(database)


async def test_500_racing_records_keep_exact_counts(account: Account) -> None:
    workers = [account.worker() for _ in range(5)]

    async def work(worker: AccountHealth, tenant: int) -> None:
        for _ in range(10):
            account.record(worker, 5, ACCEPTED, tenant=tenant)
            account.record(worker, 5, REFUSED, tenant=tenant + 1, took=2 * SECOND)
            await worker.settle()

    await asyncio.gather(*(work(worker, number) for number, worker in enumerate(workers)))
    reading = await account.reading()
    assert reading.total == Tally(attempts=500, failures=0, slow=250)
    assert reading.latency == timedelta(milliseconds=1050)
    groups = await account.rows(
        "SELECT tenant_group, sum(attempts) AS n FROM account_health WHERE account = :a"
        " GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in groups] == [
        (0, 50),
        (1, 100),
        (2, 100),
        (3, 100),
        (4, 100),
        (5, 50),
    ]


async def test_rows_cover_ten_seconds(account: Account) -> None:
    worker = account.worker()
    account.record(worker, 3)
    await worker.settle()
    rows = await account.rows(
        "SELECT bucket, extract(epoch FROM bucket)::bigint % 10 AS rest, attempts,"
        " now() - bucket AS age FROM account_health WHERE account = :a"
    )
    assert [(row.rest, row.attempts) for row in rows] == [(0, 3)]
    assert timedelta(0) <= rows[0].age < 15 * SECOND


@pytest.mark.parametrize("failure", [NOT_PROCESSED, AMBIGUOUS])
async def test_a_circuit_opens_in_every_worker_by_what_they_saw_together(
    account: Account, failure: NotProcessed
) -> None:
    one, two, idle = account.worker(), account.worker(), account.worker()
    account.record(one, 10, failure, tenant=1)
    account.record(two, 9, failure, tenant=2)
    await asyncio.gather(one.settle(), two.settle())
    assert await account.state() is CircuitState.CLOSED
    account.record(two, 1, failure, tenant=2)
    for worker in (two, one, idle):
        await worker.settle()
    reading = await account.reading()
    assert (reading.state, reading.circuit.reason) == (CircuitState.OPEN, CircuitReason.FAILURES)
    assert reading.circuit.group is None
    assert reading.last_error == failure.reason
    assert not any(available(worker, account.name) for worker in (one, two, idle))


async def test_running_workers_know_an_open_circuit_within_five_seconds(account: Account) -> None:
    workers = [account.worker(), account.worker()]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        account.record(workers[0], 20, NOT_PROCESSED)
        async with asyncio.timeout(5):
            while any(available(one, account.name) for one in workers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_refusals_and_faults_of_a_sender_open_nothing(account: Account) -> None:
    worker = account.worker()
    account.record(worker, 50, REFUSED, tenant=1)
    account.record(worker, 50, NotProcessed(reason="sender", sender_fault=True), tenant=2)
    await worker.settle()
    assert await account.state() is CircuitState.CLOSED
    assert (await account.reading()).total == Tally(attempts=100)


async def test_slow_calls_open_a_circuit(account: Account) -> None:
    worker = account.worker()
    account.record(worker, 19, took=account.provider.timeout * 0.75)
    account.record(worker, 1, took=account.provider.timeout * 0.76)
    await worker.settle()
    assert await account.state() is CircuitState.CLOSED
    account.record(worker, 1, took=account.provider.timeout * 0.76)
    await worker.settle()
    assert (await account.reading()).circuit.reason is CircuitReason.SLOW


async def test_a_fault_of_the_account_opens_its_circuit_at_once_for_all(account: Account) -> None:
    one, two = account.worker(), account.worker()
    fault = NotProcessed(reason="401", provider_code="20003", account_fault=True)
    account.record(one, 1, fault, tenant=5)
    await one.settle()
    await two.settle()
    reading = await account.reading()
    assert reading.state is CircuitState.OPEN
    assert (reading.circuit.reason, reading.circuit.group) == (CircuitReason.ACCOUNT_FAULT, None)
    assert reading.last_error == "401 20003"
    assert not available(two, account.name, tenant=6)


async def test_one_tenants_failures_hold_back_that_tenant_alone(account: Account) -> None:
    worker, other = account.worker(), account.worker()
    account.record(worker, 500, AMBIGUOUS, tenant=3)
    account.record(other, 5, ACCEPTED, tenant=4)
    await other.settle()
    await worker.settle()
    await other.settle()
    for one in (worker, other):
        assert not available(one, account.name, tenant=3)
        assert available(one, account.name, tenant=4)
    account.record(other, 20, AMBIGUOUS, tenant=4)
    await other.settle()
    assert not available(other, account.name, tenant=4)
    assert not available(other, account.name, tenant=99)


async def test_old_evidence_opens_nothing_and_is_deleted(
    account: Account, database: Database
) -> None:
    worker = account.worker()
    account.record(worker, 19, NOT_PROCESSED)
    await worker.settle()
    await account.pass_time(70)
    account.record(worker, 19, NOT_PROCESSED)
    await worker.settle()
    assert await account.state() is CircuitState.CLOSED
    assert (await account.reading()).total == Tally(attempts=19, failures=19)
    later = datetime.now(UTC) + timedelta(minutes=9, seconds=15)
    await ExpiredHealth(database).delete(later, 10_000)
    kept = await account.rows("SELECT attempts FROM account_health WHERE account = :a")
    assert [row.attempts for row in kept] == [19]


async def test_the_simulators_failures_are_not_even_recorded(database: Database) -> None:
    account = Account(database, Scripted(name="simulator"))
    worker = account.worker()
    account.record(worker, 100, NotProcessed(reason="x", account_fault=True))
    await worker.settle()
    assert available(worker, "simulator")
    assert await account.rows("SELECT 1 FROM account_health WHERE account = :a") == []
    assert await account.rows("SELECT 1 FROM account_circuit WHERE account = :a") == []


async def test_a_settlement_does_not_wait_for_the_claim_of_a_probe(
    account: Account, database: Database
) -> None:
    worker, other, fresh = account.worker(), account.worker(), Account(database)
    first = NotProcessed(reason="first", account_fault=True)
    account.record(worker, 1, first)
    await worker.settle()
    account.record(other, 3, replace(first, reason="second"))
    fresh.record(other, 1, replace(first, reason="fresh"))
    async with database.transaction() as claim:
        locking = "UPDATE account_circuit SET version = version WHERE account = :a"
        await claim.execute(text(locking), {"a": account.name})
        async with asyncio.timeout(5):
            await other.settle()
    reading = await account.reading()
    assert (reading.total, reading.last_error) == (Tally(attempts=4, failures=4), "first")
    assert not available(other, account.name)
    assert (await fresh.reading()).last_error == "fresh"
    account.record(other, 1, replace(first, reason="third"))
    await other.settle()
    assert (await account.reading()).last_error == "third"


async def test_without_an_account_that_counts_the_database_is_not_asked() -> None:
    unreachable = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    await AccountHealth(unreachable, lambda: ["simulator"]).settle()
    with pytest.raises(SQLAlchemyError):
        await AccountHealth(unreachable, lambda: ["simulator", "real"]).settle()


async def test_an_outage_of_postgres_loses_only_what_is_older_than_a_minute(
    account: Account, database_url: str
) -> None:
    clock, port = 1_000_000.0, free_port()
    server = int(database_url.rpartition(":")[2].partition("/")[0])
    database = Database(async_url(database_url).replace(f":{server}/", f":{port}/"))
    worker = AccountHealth(database, lambda: [account.name], clock=lambda: clock)
    for _ in range(20):
        account.record(worker, 7, NOT_PROCESSED)
        with pytest.raises(SQLAlchemyError):
            await worker.settle()
        clock += 10
    assert available(worker, account.name)
    async with Proxy(server, listen=port):
        await worker.settle()
        await database.close()
    kept = await account.rows("SELECT sum(attempts) AS n FROM account_health WHERE account = :a")
    assert kept[0].n == 7 * 7
    assert await account.state() is CircuitState.OPEN


async def test_a_running_worker_goes_on_after_an_outage(
    account: Account, database_url: str
) -> None:
    port = free_port()
    server = int(database_url.rpartition(":")[2].partition("/")[0])
    database = Database(async_url(database_url).replace(f":{server}/", f":{port}/"))
    worker = AccountHealth(database, lambda: [account.name])
    task = asyncio.create_task(worker.run())
    account.record(worker, 20, NOT_PROCESSED)
    await asyncio.sleep(1.5)
    async with Proxy(server, listen=port), asyncio.timeout(10):
        while available(worker, account.name):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await database.close()
    assert await account.state() is CircuitState.OPEN


async def test_the_metrics_name_the_state_of_each_account(account: Account) -> None:
    worker = account.worker()
    await worker.settle()
    assert shown(account) == {"CLOSED"}
    account.record(worker, 20, NOT_PROCESSED)
    await worker.settle()
    assert shown(account) == {"OPEN"}
    counted = REGISTRY.get_sample_value(
        "hexavox_provider_attempts_total", {"account": account.name, "outcome": "NOT_PROCESSED"}
    )
    assert counted == 20


async def test_the_metrics_of_an_account_end_when_it_is_taken_out(
    account: Account, database: Database
) -> None:
    kept = Account(database)
    names = {account.name, kept.name}
    worker = AccountHealth(database, lambda: names)
    account.record(worker, 20, NOT_PROCESSED)
    await worker.settle()
    assert (shown(account), shown(kept)) == ({"OPEN"}, {"CLOSED"})
    names.remove(account.name)
    for _ in range(2):
        await worker.settle()
        assert (shown(account), shown(kept)) == (set(), {"CLOSED"})
    names.add(account.name)
    await worker.settle()
    assert shown(account) == {"OPEN"}
    names.clear()
    await worker.settle()
    assert (shown(account), shown(kept)) == (set(), set())


def shown(account: Account) -> set[str]:
    return {
        state
        for state in CircuitState
        if REGISTRY.get_sample_value(
            "hexavox_provider_circuit", {"account": account.name, "state": state}
        )
    }
