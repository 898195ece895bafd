"""Postgres drops every connection under load: clients see 503 and no other error."""

import asyncio
from collections import Counter

import pytest
from temporalio.client import Client

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, shown_of
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("chaos")

DROP = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'hexavox' AND pid <> pg_backend_pid()
"""


async def test_dropped_connections_under_load_lose_and_double_nothing(
    harness: Harness, integrator: Integrator
) -> None:
    sends = {unique("key"): number(last) for last in ("1234", "9004", "9007", "9013") * 15}
    refusals: Counter[tuple[int, str]] = Counter()

    async def send(key: str) -> str:
        while True:
            answer = await integrator.send(sends[key], key=key)
            if answer.status_code == 200:
                message_id: str = answer.json()["messageId"]
                return message_id
            refusals[answer.status_code, answer.json()["code"]] += 1
            await asyncio.sleep(0.2)

    async def drop() -> None:
        for _ in range(5):
            await asyncio.sleep(0.4)
            await harness.rows(DROP)

    async def load() -> list[str]:
        found = []
        keys = list(sends)
        for start in range(0, len(keys), 10):
            found += await asyncio.gather(*(send(key) for key in keys[start : start + 10]))
            await asyncio.sleep(0.2)
        return found

    _, messages = await asyncio.gather(drop(), load())

    assert set(refusals) <= {(503, "TEMPORARILY_UNAVAILABLE")}
    assert len(set(messages)) == len(sends)
    await integrator.all_ended()
    assert set(await harness.copies(sends.values())) == {1}
    assert await violations(integrator) == []
    shown = await _shown(harness, integrator)
    assert [to for to in sends.values() if to[1:] in shown] == [], "a driver quotes its values"


async def _shown(harness: Harness, integrator: Integrator) -> str:
    client = await Client.connect(harness.temporal.address)
    query = f"HexavoxTenant = {integrator.owner.tenant_id}"
    runs = [run.id async for run in client.list_workflows(query)]
    assert runs
    return "".join([await shown_of(client, run) for run in runs])
