"""Postgres fails over, is locked, or is blocked by a frozen worker: bounded, and self-healing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("chaos")

READ_ONLY = "ALTER DATABASE chaos SET default_transaction_read_only = on"
WRITABLE = "ALTER DATABASE chaos RESET default_transaction_read_only"
END = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'hexavox' AND pid <> pg_backend_pid()
"""
LOCK = "SELECT 1 FROM allowance_month WHERE tenant_id = :tenant FOR UPDATE"
SETTLING = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%WITH open AS%'
"""


@asynccontextmanager
async def locked(integrator: Integrator) -> AsyncIterator[None]:
    """Lock the row that every send and every settlement of a merchant needs."""
    async with integrator.harness.database.engine.connect() as connection, connection.begin():
        found = await connection.execute(text(LOCK), {"tenant": integrator.owner.tenant_id})
        assert found.all()
        yield


async def ready(harness: Harness, name: str) -> bool:
    answer = await harness.http.get(f"http://127.0.0.1:{harness.stack.ports[name]}/readyz")
    return answer.status_code == 200


async def test_a_failover_amid_load_loses_and_doubles_nothing_and_ends_by_itself(
    harness: Harness, integrator: Integrator
) -> None:
    sends = {unique("key"): number(last) for last in ("1234", "9004", "9007") * 10}
    refusals: set[tuple[int, str | None]] = set()

    async def send(key: str) -> str:
        while True:
            answer = await integrator.send(sends[key], key=key)
            if answer.status_code == 200:
                message_id: str = answer.json()["messageId"]
                return message_id
            refusals.add((answer.status_code, answer.headers.get("Retry-After")))
            await asyncio.sleep(0.3)

    async def fail_over() -> None:
        await asyncio.sleep(0.3)
        await harness.rows("SELECT 1")  # opens the connection that will terminate the others
        async with harness.database.statement() as db:
            await db.execute(text(READ_ONLY))
            await db.execute(text(END))
        for name in ("api", "worker"):
            assert not await ready(harness, name)
        await asyncio.sleep(2)
        async with harness.database.statement() as db:
            await db.execute(text("SET default_transaction_read_only = off"))
            await db.execute(text(WRITABLE))

    _, messages = await asyncio.gather(fail_over(), asyncio.gather(*map(send, sends)))
    for name in ("api", "worker"):
        assert await ready(harness, name)
    assert refusals <= {(503, "2")}
    assert len(set(messages)) == len(sends)
    await integrator.all_ended()
    assert set(await harness.copies(sends.values())) == {1}
    assert await violations(integrator) == []


async def test_a_locked_merchant_harms_itself_only(
    harness: Harness, integrator: Integrator
) -> None:
    other = await harness.integrator()
    await integrator.ended(await integrator.accepted(number()))  # its month exists
    await harness.faults(latencyMs=800)
    before = [await integrator.accepted(number()) for _ in range(40)]
    async with locked(integrator):
        await harness.faults()
        stuck = [asyncio.create_task(integrator.send(number())) for _ in range(40)]
        await asyncio.sleep(1.5)  # by now the worker would settle the forty
        began = time.monotonic()
        for _ in range(5):
            view = await other.ended(await other.accepted(number()), within=20)
            assert view["status"] == "DELIVERED"
        assert time.monotonic() - began < 20
        answers = {(await task).status_code for task in stuck}
        assert answers == {503}
        assert {status for _, _, status, _ in await integrator.open_messages()} <= {
            "QUEUED",
            "SENDING",
            "SENT",
        }
    for message in before:
        assert (await integrator.ended(message, within=60))["status"] == "DELIVERED"
    assert await violations(integrator) == []


async def test_a_frozen_worker_that_holds_a_transaction_is_parted_from_it(
    harness: Harness, integrator: Integrator
) -> None:
    await integrator.ended(await integrator.accepted(number()))
    await harness.faults(latencyMs=800)
    message = await integrator.accepted(number())

    async def settling() -> bool:
        return bool(await harness.rows(SETTLING))

    async with locked(integrator):
        await harness.faults()
        await until(settling, every=0.02)
        harness.stack.freeze("worker")
    # The frozen worker holds the row in an open transaction.
    began = time.monotonic()
    while (await integrator.send(number())).status_code != 200:
        assert time.monotonic() - began < 25
        await asyncio.sleep(0.2)
    harness.stack.thaw("worker")
    assert (await integrator.ended(message))["status"] == "DELIVERED"
    await integrator.all_ended()
    assert await violations(integrator) == []
